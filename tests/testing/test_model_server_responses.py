"""The model server's answers in the format of OpenAI Responses."""

from __future__ import annotations

import json
from itertools import groupby
from typing import Any

import pytest
from plain_http import client
from replay import conversations

from syncai.testing import ModelServer, Reply, ToolCall


def posted(server: ModelServer, *, stream: bool = True) -> bytes:
    with client(server) as connection:
        body = json.dumps({'model': 'm', 'stream': stream, 'input': 'hello'})
        connection.request('POST', '/v1/responses', body, {'Content-Type': 'application/json'})
        response = connection.getresponse()
        assert response.status == 200
        return response.read()


def events(body: bytes) -> list[Any]:
    found = []
    for block in body.decode().split('\n\n')[:-1]:
        name, data = block.split('\n')
        found.append(json.loads(data.removeprefix('data: ')))
        assert name == f'event: {found[-1]["type"]}'
    return found


REPLIES = [Reply(tool_calls=[ToolCall('f', {'x': 1})]), Reply('Hello ', 'world', usage=(3, 2))]


def test_events_are_named_and_numbered_and_the_last_one_repeats_the_answer() -> None:
    with ModelServer(Reply('Hello ', 'world', thinking='hm', tool_calls=[ToolCall('f', {})], usage=(3, 2))) as server:
        found = events(posted(server))
        whole = json.loads(posted(server, stream=False))
    assert [event['sequence_number'] for event in found] == list(range(len(found)))
    assert found[0]['response']['output'] == []
    assert {**found[-1]['response'], 'id': whole['id']} == whole
    done = [event['item'] for event in found if event['type'] == 'response.output_item.done']
    assert done == whole['output']
    assert [item['type'] for item in done] == ['reasoning', 'message', 'function_call']
    assert whole['usage']['total_tokens'] == 5


@pytest.mark.needs_recordings
def test_events_come_in_the_recorded_order_with_the_recorded_fields() -> None:
    with ModelServer(REPLIES) as server:
        for exchange in conversations('openai_responses')['stream']:
            ours, recorded = (
                [next(group) for _, group in groupby(found, key=lambda event: event['type'])]
                for found in (events(posted(server)), exchange.payloads)
            )
            assert [event['type'] for event in ours] == [event['type'] for event in recorded]
            for made, real in zip(ours, recorded, strict=True):
                assert made.keys() == {*real, 'sequence_number'}  # which the recorded ones did not have yet
                for name in ('item', 'part'):
                    assert made.get(name, {}).keys() == real.get(name, {}).keys()
                assert made.get('response', {}).keys() <= real.get('response', {}).keys()
