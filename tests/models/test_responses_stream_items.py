"""The items of a stream of Responses as servers other than OpenAI's send them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from responses_events import Stream, completed, delta, item, message, text

from syncai.exceptions import IncompleteStreamError
from syncai.messages import PartDeltaEvent, TextPartDelta
from syncai.models._http.parts import PartsBuilder
from syncai.models._responses.response import ResponsesStreamDecoder

CALLED = {'type': 'function_call', 'id': 'fc', 'call_id': 'c', 'name': 'f', 'arguments': '{"a":12}'}
ADDED = {'type': 'response.output_item.added', 'output_index': 0, 'item': {**CALLED, 'arguments': ''}}


def test_what_is_missing_at_the_end_comes_with_the_whole() -> None:
    said = Stream().feed(delta('output_text', 'Hel'), item('done', message(text('Hello'))), completed())
    assert [part.content for part in said.parts] == ['Hello']
    assert said.events[-1] == PartDeltaEvent(0, TextPartDelta('lo'))
    called = Stream().feed(ADDED, delta('function_call_arguments', '{"a":'), item('done', CALLED), completed())
    assert [part.args for part in called.parts] == ['{"a":12}']


def test_a_whole_that_is_written_in_another_way_changes_nothing() -> None:
    said = Stream().feed(delta('output_text', 'Hello '), item('done', message(text('Hello'))), completed())
    assert [part.content for part in said.parts] == ['Hello ']
    spaced = {**CALLED, 'arguments': '{"a": 12}'}
    called = Stream().feed(ADDED, delta('function_call_arguments', '{"a":12}'), item('done', spaced), completed())
    assert [part.args for part in called.parts] == ['{"a":12}']


@pytest.mark.parametrize(
    'events',
    [
        [delta('output_text', 'H'), delta('output_text', 'lo'), item('done', message(text('Hello')))],
        [
            delta('output_text', 'H'),
            delta('output_text', 'lo'),
            {'type': 'response.output_text.done', 'output_index': 0, 'text': 'Hello'},
        ],
        [ADDED, delta('function_call_arguments', '{"a"'), delta('function_call_arguments', '2}'), item('done', CALLED)],
    ],
    ids=['text', 'text done', 'arguments'],
)
def test_an_event_that_was_lost_on_the_way_is_an_error(events: list[dict[str, Any]]) -> None:
    """As LiteLLM 1.110 loses one whose JSON is broken, and passes on those around it."""
    with pytest.raises(IncompleteStreamError, match='lost on the way'):
        Stream().feed(*events, completed())


@pytest.mark.parametrize(
    'kept', ['item_id', 'output_index', 'item_id and index 0', 'output_index and an id of each event', 'neither']
)
def test_which_item_an_event_is_about(kept: str) -> None:
    """llama.cpp b11549 sends ids and no index; what it sent with two calls is the first case."""
    calls = [
        {'type': 'function_call', 'id': f'fc_{n}', 'call_id': f'call_{n}', 'name': 'f', 'arguments': args}
        for n, args in enumerate(('{"a":1}', '{"a":2}'))
    ]
    fresh = iter(range(100))

    def sent(kind: str, number: int, **more: Any) -> dict[str, Any]:
        event = {'type': f'response.{kind}', 'item_id': f'fc_{number}', 'output_index': number, **more}
        if kept in ('item_id', 'neither'):
            del event['output_index']
        elif kept == 'item_id and index 0':
            event['output_index'] = 0
        if kept in ('output_index', 'neither'):
            del event['item_id']
        elif kept.endswith('each event'):
            event['item_id'] = f'fresh_{next(fresh)}'
        if 'item' in event and 'item_id' not in kept:
            event['item'] = {**event['item'], 'id': f'fresh_{next(fresh)}'}
        return event

    events = []
    for number, call in enumerate(calls):
        begun = {**call, 'arguments': ''}
        events += [
            sent('output_item.added', number, item=begun),
            *(sent('function_call_arguments.delta', number, delta=sign) for sign in call['arguments']),
            sent('output_item.done', number, item=call),
        ]
    if kept.startswith('item_id'):  # the ends come together
        events = sorted(events, key=lambda event: event['type'].endswith('done'))
    parts = Stream().feed(*events, completed(output=calls)).parts
    assert [(part.args, part.tool_call_id) for part in parts] == [('{"a":1}', 'call_0'), ('{"a":2}', 'call_1')]


@pytest.mark.parametrize(('limit', 'reason'), [(None, 'stop'), (41, 'stop'), (40, 'length')])
def test_an_answer_with_all_the_tokens_that_it_may_have_was_cut(limit: int | None, reason: str) -> None:
    """llama.cpp b11549 calls it complete: `status` is `completed`, and `output_tokens` what was asked for at most."""
    decoder = ResponsesStreamDecoder(PartsBuilder(), 'openai-responses', 'm', limit)
    usage = {'input_tokens': 290, 'output_tokens': 40, 'total_tokens': 330}
    events = [delta('output_text', 'the rain'), completed(usage=usage)]
    decoder.feed([json.dumps(event) for event in events], [])
    assert (decoder.finish_reason, decoder.provider_finish_reason) == (reason, 'completed')
