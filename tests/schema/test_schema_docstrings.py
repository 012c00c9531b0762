"""Descriptions of functions and parameters, from docstrings in each style."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from syncai._schema import function_schema
from syncai._schema.docstring import parse_docstring

GOOGLE = """Look up the weather.

    The forecast is that
    of the nearest station.

    Args:
        city: The city, as people
            call it.
        days (int, optional): How many days: from today.
        *more: Further cities.
        **options: Options.

    Returns:
        The forecast.

    Raises:
        LookupError: No such city.
    """

NUMPY = """Look up the weather.

    The forecast is that
    of the nearest station.

    Parameters
    ----------
    city : str
        The city, as people
        call it.
    days : int, optional
        How many days: from today.
    *more
        Further cities.
    **options
        Options.

    Returns
    -------
    str
        The forecast.

    Raises
    ------
    LookupError
        No such city.
    """

SECTIONS_FIRST = [
    """Args:
        city: The city, as people
            call it.
        days (int): How many days.
    """,
    """Args:
        city: The city, as people call it.
        days: How many days.

    Returns:
        The forecast.
    """,
    """
    Args:
        city: The city, as people call it.
        days: How many days.
    """,
    """Args:
    city: The city, as people call it.
    days: How many days.
    """,
    """Arguments:
\tcity: The city, as people call it.
\tdays: How many days.
""",
    """Returns:
        The forecast.

    Args:
        city: The city, as people call it.
        days: How many days.
    """,
    """Raises:
        LookupError: No such city.

    Args:
        city: The city, as people call it.
        days: How many days.
    """,
]

SPHINX = r"""Look up the weather.

    The forecast is that
    of the nearest station.

    :param city: The city, as people
        call it.
    :param int days: How many days: from today.
    :param \*more: Further cities.
    :param options: Options.
    :type city: str
    :returns: The forecast.
    :raises LookupError: No such city.
    """


@pytest.mark.parametrize(
    ('text', 'style'), [(GOOGLE, 'google'), (NUMPY, 'numpy'), (SPHINX, 'sphinx')], ids=['google', 'numpy', 'sphinx']
)
def test_each_style_is_read_and_recognised(text: str, style: Any) -> None:
    for how in (style, 'auto'):
        found = parse_docstring(text, how)
        assert found.description == 'Look up the weather.\n\nThe forecast is that\nof the nearest station.'
        assert found.parameters == {
            'city': 'The city, as people call it.',
            'days': 'How many days: from today.',
            'more': 'Further cities.',
            'options': 'Options.',
        }


@pytest.mark.parametrize(('text', 'style'), [(GOOGLE, 'google'), (NUMPY, 'numpy'), (SPHINX, 'sphinx')])
def test_the_wrong_style_describes_no_parameters_but_loses_no_words(text: str, style: str) -> None:
    wrong: Any
    for wrong in {'google', 'numpy', 'sphinx'} - {style}:
        found = parse_docstring(text, wrong)
        assert 'city' not in found.parameters
        assert found.description.startswith('Look up the weather.')


@pytest.mark.parametrize(
    'text',
    [
        'One line.',
        'One line.\n\n    Another paragraph,\n        indented.\n\n    - and\n    - a list',
        'Just: a colon\n    and: another',
        'Note: this is no section of parameters.',
        'A fence:\n\n    ```python\n    f(x)\n    ```',
        ':::',
        ':param',
        'Ends with a header\n\n    Args:',
        'Unicode: Größe, 雪, 🎉',
        '',
        '\n\n   \n',
    ],
)
def test_text_without_parameters_is_its_own_description(text: str) -> None:
    found = parse_docstring(text)
    assert found.parameters == {}
    assert found.description.split() == inspect.cleandoc(text).split()


def test_no_docstring() -> None:
    assert parse_docstring(None).description == ''


def test_paragraphs_of_a_parameter_stay_apart() -> None:
    text = 'Do.\n\nArgs:\n    a: First\n        line.\n\n        Second paragraph.\n    b: Other.'
    assert parse_docstring(text).parameters['a'] == 'First line.\n\nSecond paragraph.'


def test_several_parameters_of_one_description() -> None:
    text = 'Do.\n\nParameters\n----------\nx, y : int\n    A corner.\nz : int\n'
    assert parse_docstring(text).parameters == {'x': 'A corner.', 'y': 'A corner.'}


def test_names_the_function_does_not_have_are_passed_over() -> None:
    def tool(ctx: Any, city: str) -> None:
        """Do.

        Args:
            ctx: The context.
            city: The city.
            country: Long gone.
        """

    schema = function_schema(tool, takes_ctx=True).json_schema
    assert schema['properties'] == {'city': {'type': 'string', 'description': 'The city.'}}


def test_a_given_style_is_used() -> None:
    def tool(city: str) -> None:
        """Do.

        :param city: The city.
        """

    def properties(style: Any) -> Any:
        return function_schema(tool, takes_ctx=False, docstring_format=style).json_schema['properties']['city']

    assert properties('sphinx') == properties('auto') == {'type': 'string', 'description': 'The city.'}
    assert properties('google') == {'type': 'string'}


@pytest.mark.parametrize('style', ['auto', 'google'])
@pytest.mark.parametrize('text', SECTIONS_FIRST)
@pytest.mark.parametrize('cleaned', [False, True], ids=['as written', 'as Python 3.13 compiles it'])
def test_a_docstring_that_begins_with_a_section(text: str, style: Any, cleaned: bool) -> None:
    """Google's style guide, 3.8.3, puts a summary first, which many tools leave out."""
    parsed = parse_docstring(inspect.cleandoc(text) if cleaned else text, style)
    assert parsed.parameters == {'city': 'The city, as people call it.', 'days': 'How many days.'}
    assert parsed.description == ''


@pytest.mark.parametrize('text', ['Args: are given', 'Usage:\nf(1)', 'Note:', 'Args:'])
def test_words_that_only_look_like_a_section(text: str) -> None:
    assert parse_docstring(text).parameters == {}
    assert parse_docstring(text).description == text


def test_a_tool_whose_docstring_begins_with_its_arguments() -> None:
    def get_weather(city: str, days: int = 1) -> str:
        """Args:
            city: The name of the city.
            days: How many days.
        """  # fmt: skip
        return f'{city} {days}'

    properties = function_schema(get_weather, takes_ctx=False).json_schema['properties']
    assert [properties[name]['description'] for name in ('city', 'days')] == ['The name of the city.', 'How many days.']
