"""The input of tools in streams of blocks: with the beginning of its block, in pieces after it, both, or empty pieces.

Anthropic's own streams begin a block with `{}` and send the input in pieces, of which the first is empty
(https://platform.claude.com/docs/en/build-with-claude/streaming; https://github.com/theopenco/llmgateway/pull/2468).
Servers that speak its format send it with the beginning, and pieces count where they come
(https://github.com/Yeachan-Heo/gajae-code/pull/1895).
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from syncai.messages import ModelResponseStreamEvent, PartDeltaEvent, PartStartEvent, ThinkingPart, ToolCallPart
from syncai.models._anthropic.response import AnthropicStreamDecoder
from syncai.models._bedrock.response import ConverseStreamDecoder
from syncai.models._http.answers import StreamDecoder
from syncai.models._http.parts import PartsBuilder
from syncai.models._responses.response import ResponsesStreamDecoder

SEARCH = {'type': 'server_tool_use', 'id': 'srv_1', 'name': 'web_search', 'input': {'query': 'x'}}
CALL = {'type': 'tool_use', 'id': 'c', 'name': 'f', 'input': {'a': 1}}


def decoded(make: type[StreamDecoder], *events: dict[str, Any]) -> tuple[list[Any], list[ModelResponseStreamEvent]]:
    """The parts, and the events put together again by themselves."""
    builder = PartsBuilder()
    batch: list[ModelResponseStreamEvent] = []
    decoder = make(builder, 'p', 'm')
    decoder.feed([json.dumps(event) for event in events], batch)
    assert decoder.complete
    return list(builder.parts()), batch


def put_together(events: list[ModelResponseStreamEvent]) -> list[Any]:
    parts: dict[int, Any] = {}
    for event in events:
        if isinstance(event, PartStartEvent):
            parts[event.index] = event.part
        elif isinstance(event, PartDeltaEvent):
            parts[event.index] = event.delta.apply(parts[event.index])
    return list(parts.values())


def anthropic(
    block: dict[str, Any], *pieces: str, closed: bool = True
) -> tuple[list[Any], list[ModelResponseStreamEvent]]:
    deltas = [{'type': 'input_json_delta', 'partial_json': piece} for piece in pieces]
    return decoded(
        AnthropicStreamDecoder,
        {'type': 'message_start', 'message': {}},
        {'type': 'content_block_start', 'index': 0, 'content_block': block},
        *({'type': 'content_block_delta', 'index': 0, 'delta': delta} for delta in deltas),
        *([{'type': 'content_block_stop', 'index': 0}] if closed else []),
        {'type': 'content_block_start', 'index': 1, 'content_block': {'type': 'text', 'text': 'Paris.'}},
        {'type': 'message_delta', 'delta': {'stop_reason': 'end_turn'}},
        {'type': 'message_stop'},
    )


@pytest.mark.parametrize('closed', [True, False], ids=['closed', 'never closed'])
@pytest.mark.parametrize('pieces', [(), ('',), ('', '{"a":', ' 1}'), ('{"a": 1}',)], ids=repr)
def test_input_with_the_beginning_and_in_pieces_is_one(pieces: tuple[str, ...], closed: bool) -> None:
    parts, events = anthropic(CALL, *pieces, closed=closed)
    call = parts[0]
    assert isinstance(call, ToolCallPart)
    assert (call.args_as_dict(), call.tool_call_id) == ({'a': 1}, 'c')
    assert put_together(events)[0].args_as_dict() == {'a': 1}


def test_pieces_count_more_than_the_beginning() -> None:
    (call, _), _ = anthropic(CALL, '{"a": 2}')
    assert call.args_as_dict() == {'a': 2}


@pytest.mark.parametrize('pieces', [(), ('',), ('', ''), (' ',)], ids=repr)
def test_a_tool_of_the_server_whose_pieces_are_empty_loses_nothing(pieces: tuple[str, ...]) -> None:
    (search, text), _ = anthropic(SEARCH, *pieces)
    assert search == ThinkingPart('', provider_name='p', provider_details=SEARCH)
    assert text.content == 'Paris.'


def test_a_tool_of_the_server_with_input_twice() -> None:
    (search, _), _ = anthropic(SEARCH, '{"query":', '"y"}')
    assert search.provider_details == {**SEARCH, 'input': {'query': 'y'}}


@pytest.mark.parametrize('piece', ['', ' '])
def test_the_same_of_converse(piece: str) -> None:
    tool = {'toolUseId': 's1', 'name': 'nova_grounding', 'type': 'server_tool_use'}
    parts, _ = decoded(
        ConverseStreamDecoder,
        {'contentBlockStart': {'contentBlockIndex': 0, 'start': {'toolUse': tool}}},
        {'contentBlockDelta': {'contentBlockIndex': 0, 'delta': {'toolUse': {'input': piece}}}},
        {'contentBlockStop': {'contentBlockIndex': 0}},
        {'contentBlockDelta': {'contentBlockIndex': 1, 'delta': {'text': 'Paris.'}}},
        {'messageStop': {'stopReason': 'end_turn'}},
        {'metadata': {}},
    )
    assert parts[0].provider_details == {'toolUse': {**tool, 'input': {}}}
    assert parts[1].content == 'Paris.'


@pytest.mark.parametrize('pieces', [(), ('',), ('{"a":', '1}')], ids=repr)
@pytest.mark.parametrize('closed', [True, False], ids=['with its whole', 'without'])
def test_the_same_of_responses(pieces: tuple[str, ...], closed: bool) -> None:
    item = {'type': 'function_call', 'id': 'i', 'call_id': 'c', 'name': 'f', 'arguments': '{"a":1}'}
    place = {'output_index': 0, 'item_id': 'i'}
    parts, events = decoded(
        ResponsesStreamDecoder,
        {'type': 'response.output_item.added', **place, 'item': item},
        *({'type': 'response.function_call_arguments.delta', **place, 'delta': piece} for piece in pieces),
        *([{'type': 'response.output_item.done', **place, 'item': item}] if closed else []),
        {'type': 'response.completed', 'response': {'status': 'completed'}},
    )
    assert [part.args_as_dict() for part in parts] == [{'a': 1}]
    assert [part.args_as_dict() for part in put_together(events)] == [{'a': 1}]
