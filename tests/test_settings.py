from __future__ import annotations

import pytest

from syncai._providers.names import setting_prefix
from syncai.exceptions import UserError
from syncai.models._catalog.providers import PROVIDERS
from syncai.settings import HttpOptions, check_settings, merge_settings


def test_later_settings_win_and_headers_are_merged() -> None:
    merged = merge_settings(
        {'temperature': 0.1, 'extra_headers': {'a': '1', 'b': '1'}},
        None,
        {'max_tokens': 5, 'extra_headers': {'b': '2'}},
    )
    assert merged == {'temperature': 0.1, 'max_tokens': 5, 'extra_headers': {'a': '1', 'b': '2'}}


def test_merging_changes_no_layer() -> None:
    layer = {'extra_headers': {'a': '1'}}
    merge_settings(layer, {'extra_headers': {'b': '2'}})
    assert layer == {'extra_headers': {'a': '1'}}


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('max_tokens', '100'),
        ('max_tokens', 0),
        ('max_tokens', True),
        ('temperature', 'hot'),
        ('timeout', -1),
        ('timeout', float('nan')),
        ('parallel_tool_calls', 1),
        ('tool_choice', 'maybe'),
        ('tool_choice', []),
        ('stop_sequences', 'END'),
        ('logit_bias', {1: 5}),
        ('thinking', 'a lot'),
        ('extra_headers', {'a': 1}),
        ('extra_body', 'x'),
    ],
)
def test_a_wrong_type_names_the_setting(name: str, value: object) -> None:
    with pytest.raises(UserError, match=name):
        check_settings({name: value})


def test_right_settings_pass() -> None:
    check_settings(None)
    check_settings({'temperature': 0, 'thinking': 'low', 'tool_choice': ['a'], 'timeout': 3, 'openai_user': 'x'})


def test_an_unknown_setting_gets_the_nearest_name() -> None:
    with pytest.raises(UserError, match="'max_token': did you mean 'max_tokens'"):
        check_settings({'max_token': 1})


def test_settings_that_are_no_mapping() -> None:
    with pytest.raises(UserError, match='must be a dict'):
        check_settings([])  # type: ignore[arg-type]


def test_the_value_of_a_header_is_not_shown() -> None:
    with pytest.raises(UserError) as caught:
        check_settings({'extra_headers': {'authorization': b'secret'}})
    assert 'secret' not in str(caught.value)


def test_http_options_are_values() -> None:
    assert hash(HttpOptions()) == hash(HttpOptions())
    assert HttpOptions(max_retries=0) != HttpOptions()
    with pytest.raises(UserError, match='connect_timeout'):
        HttpOptions(connect_timeout=0)
    with pytest.raises(UserError, match='max_retries'):
        HttpOptions(max_retries=-1)


@pytest.mark.parametrize('provider', PROVIDERS)
def test_settings_of_every_provider_of_the_table_are_taken(provider: str) -> None:
    """Also of one whose name has a hyphen, which no keyword can have."""
    check_settings({setting_prefix(provider) + 'some_setting': 1})
    assert setting_prefix(provider).isidentifier()
