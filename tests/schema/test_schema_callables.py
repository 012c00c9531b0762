"""Every kind of callable, the context, annotations as text, and what cannot be a tool."""

# No `from __future__ import annotations`: annotations are objects here, and text only where a test writes text.

import functools
import threading
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import pytest
from pydantic import BaseModel, Field
from schema_kinds import Box, Colour, RunContext, call, plain, two

import syncai.tools
from syncai._schema import function_schema
from syncai.exceptions import UserError

T = TypeVar('T')


@pytest.mark.parametrize('annotation', [RunContext, RunContext[int], 'RunContext[Missing]', 'x.RunContext', Any])
def test_context_is_skipped_whatever_its_annotation(annotation: Any) -> None:
    def tool(ctx: annotation, a: int) -> None: ...

    def bare(ctx, a: int) -> None: ...  # type: ignore[no-untyped-def]

    for function in (tool, bare):
        schema = function_schema(function, takes_ctx=True)
        assert schema.takes_ctx
        assert list(schema.json_schema['properties']) == ['a']


def test_the_single_object_may_follow_a_context() -> None:
    def tool(ctx: RunContext[None], box: Box) -> None: ...

    assert function_schema(tool, takes_ctx=True).validate('{"width": 1}') == ([], {'box': Box(width=1)})


def no_parameters() -> None: ...


def keyword_only(*, ctx: int) -> None: ...


def an_int(x: int) -> None: ...


def a_list(x: list[str]) -> None: ...


def a_text(x: 'str') -> None: ...


@pytest.mark.parametrize(
    ('function', 'message'),
    [
        (no_parameters, r'no first parameter for it.*tool_plain'),
        (keyword_only, r'no first parameter for it.*tool_plain'),
        (an_int, r"'x', must be a RunContext.*tool_plain"),
        (a_list, r"'x', must be a RunContext.*tool_plain"),
        (a_text, r"'x', must be a RunContext.*tool_plain"),
    ],
)
def test_a_context_needs_a_parameter(function: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        function_schema(function, takes_ctx=True)


@pytest.mark.parametrize(
    'annotation', [RunContext, RunContext[int], 'RunContext[int]', 'syncai.RunContext', Annotated[RunContext[int], 'x']]
)
def test_a_context_nobody_registered(annotation: Any) -> None:
    def tool(ctx: annotation) -> None: ...

    with pytest.raises(UserError, match=r"'ctx', is a RunContext.*@agent\.tool"):
        plain(tool)


@pytest.mark.parametrize('takes_ctx', [True, False])
def test_a_context_that_is_not_the_first(takes_ctx: bool) -> None:
    def tool(name, ctx: RunContext[int]) -> None: ...  # type: ignore[no-untyped-def]

    with pytest.raises(UserError, match=r"'ctx' of 'tool' is a RunContext: it must be the first parameter"):
        function_schema(tool, takes_ctx=takes_ctx)


class Shop:
    def method(self, item: str) -> str:
        """Sell it."""
        return f'{type(self).__name__} {item}'

    @classmethod
    def of_class(cls, item: str) -> str:
        return f'{cls.__name__} {item}'

    @staticmethod
    def static(item: str) -> str:
        return item

    def __call__(self, item: str) -> str:
        """Called."""
        return item

    async def later(self, item: str) -> str:
        return item


def decorated(function: Callable[..., T]) -> Callable[..., T]:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> T:
        return function(*args, **kwargs)

    return wrapper


@decorated
def wrapped_tool(item: str) -> str:
    """Wrapped."""
    return item


@pytest.mark.parametrize(
    ('function', 'name', 'description', 'result'),
    [
        (Shop().method, 'method', 'Sell it.', 'Shop x'),
        (Shop.of_class, 'of_class', '', 'Shop x'),
        (Shop.static, 'static', '', 'x'),
        (staticmethod(wrapped_tool), 'wrapped_tool', 'Wrapped.', 'x'),
        (Shop(), 'Shop', 'Called.', 'x'),
        (wrapped_tool, 'wrapped_tool', 'Wrapped.', 'x'),
        (functools.partial(two, 'a'), 'two', 'Join.', 'ax'),
        (functools.partial(functools.partial(two, suffix='z'), prefix='b'), 'two', 'Join.', 'bxz'),
    ],
    ids=lambda value: value if isinstance(value, str) else '',
)
def test_kinds_of_callables(function: Any, name: str, description: str, result: str) -> None:
    schema = plain(function)
    assert (schema.name, schema.description) == (name, description)
    assert call(function, '{"item": "x"}') == result


def test_a_class_is_described_by_its_own_docstring() -> None:
    class Silent:
        def __init__(self, item: 'Box') -> None: ...

    class Described(Silent):
        """Make one."""

    assert (plain(Described).name, plain(Described).description) == ('Described', 'Make one.')
    assert plain(Silent, description='x').json_schema['properties'].keys() == {'width', 'label'}
    assert 'self' not in plain(Silent).description


def test_partial_keywords_become_defaults() -> None:
    schema = plain(functools.partial(two, prefix='b')).json_schema
    assert schema['properties']['prefix'] == {'type': 'string', 'default': 'b'}
    assert schema['properties']['item'] == {'type': 'string', 'description': 'The middle.'}
    assert schema['required'] == ['item']


def test_name_and_description_given() -> None:
    schema = plain(lambda x: x, name='echo', description='Say it again')
    assert (schema.name, schema.description) == ('echo', 'Say it again')
    assert plain(two, description='').description == ''


@pytest.mark.parametrize(
    ('function', 'options', 'message'),
    [
        (lambda x: x, {}, 'lambda has no name'),
        (two, {'name': 'two words'}, "'two words' cannot be the name of a tool"),
        (two, {'name': 'x' * 65}, '1 to 64'),
        (3, {'name': 'three'}, 'must be a function, not 3'),
        (dict.fromkeys, {'name': 'builtin'}, ''),
    ],
)
def test_what_cannot_be_a_tool(function: Any, options: dict[str, Any], message: str) -> None:
    if not message:
        assert plain(function, **options).json_schema['required'] == ['iterable']
        return
    with pytest.raises(UserError, match=message):
        plain(function, **options)


def test_builtins_without_a_signature() -> None:
    with pytest.raises(UserError, match=r"'max' cannot be read.*wrap it"):
        plain(max)


def with_text(box: 'Box', boxes: 'list[Box]', more: list['Box'], note: 'Annotated[int, Field(ge=3)]' = 3) -> None: ...


def test_text_is_looked_up_in_the_module() -> None:
    schema = plain(with_text).json_schema
    assert schema['properties']['box'] == {'$ref': '#/$defs/Box'}
    assert schema['properties']['more']['items'] == {'$ref': '#/$defs/Box'}
    assert schema['properties']['note'] == {'type': 'integer', 'minimum': 3, 'default': 3}


def test_text_is_looked_up_in_the_closure() -> None:
    class Local(BaseModel):
        x: int

    def tool(it: 'Local', other: 'list[Local]') -> Any:
        return Local, it, other

    assert plain(tool).json_schema['properties']['it'] == {'$ref': '#/$defs/Local'}


def test_text_of_a_bound_method_and_a_partial() -> None:
    class Local:
        def method(self, box: 'Box', colour: 'Colour') -> None: ...

    assert list(plain(Local().method).json_schema['$defs']) == ['Box', 'Colour']
    assert list(plain(functools.partial(with_text, more=[])).json_schema['$defs']) == ['Box']


def test_the_type_that_cannot_be_resolved_is_named() -> None:
    def tool(fine: int, box: 'list[Nowhere]') -> 'AlsoNowhere': ...  # type: ignore[name-defined]  # noqa: F821

    with pytest.raises(UserError, match=r"'list\[Nowhere\]' of parameter 'box' of 'tool'.*module level"):
        plain(tool)


def test_the_return_type_does_not_matter() -> None:
    def tool(fine: int) -> 'Nowhere': ...  # type: ignore[name-defined]  # noqa: F821

    assert plain(tool).validate('{"fine": 1}') == ([], {'fine': 1})


def test_the_context_of_syncai_is_one() -> None:
    def tool(ctx: syncai.tools.RunContext[int], a: int) -> None: ...

    assert function_schema(tool, takes_ctx=True).validate('{"a": 1}') == ([], {'a': 1})
    with pytest.raises(UserError, match='is a RunContext'):
        plain(tool)


def test_the_type_that_pydantic_cannot_describe_is_named() -> None:
    def a_value(fine: int, five: 5) -> None: ...  # type: ignore[valid-type]

    def a_lock(fine: int, lock: threading.Event) -> None: ...

    def in_kwargs(**more: threading.Event) -> None: ...

    def a_callback(fine: int, then: Callable[[], int]) -> None: ...

    for function, parameter in ((a_value, 'five'), (a_lock, 'lock'), (in_kwargs, 'more'), (a_callback, 'then')):
        with pytest.raises(UserError) as caught:
            plain(function)
        assert f'Parameter {parameter!r} of {function.__name__!r} has the type' in str(caught.value)
        assert 'dependencies of the agent' in str(caught.value)
        assert '\n' not in str(caught.value)
