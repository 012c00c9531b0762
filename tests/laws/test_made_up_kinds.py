"""A part or an event of a kind that nobody made is an error in every writer and reader of them, never left out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from syncai import Agent, ModelRequest, ModelResponse, UserError
from syncai._engine.model_call import weigh_events
from syncai._telemetry.content import input_messages, output_messages
from syncai.messages import PartDeltaEvent, PartStartEvent, TextPart, UserPromptPart
from syncai.models import StreamedResponse
from syncai.models._anthropic.messages import anthropic_messages
from syncai.models._bedrock.messages import converse_messages
from syncai.models._catalog.providers import PROVIDERS
from syncai.models._chat.messages import chat_messages
from syncai.models._google.messages import contents
from syncai.models._http.estimate import estimate_usage
from syncai.models._responses.messages import input_items
from syncai.models.openai_messages import messages_to_openai
from syncai.models.test import TestModel
from syncai.stream._parts import ArrivingPart


@dataclass(frozen=True)
class MadeUp:
    """Has the fields of all kinds, so that only its class is wrong."""

    content: Any = 'made up'
    args: str = '{}'
    content_delta: str = 'made up'
    args_delta: str = '{}'
    provider_name: str | None = None
    provider_details: dict[str, Any] | None = None
    id: str | None = None
    signature: str | None = None
    index: int = 0
    kind: str = 'made-up'


MADE_UP: Any = MadeUp()
OPENAI = PROVIDERS['openai']

WRITERS: dict[str, Callable[[list[Any]], object]] = {
    'chat': lambda messages: chat_messages(messages, OPENAI),
    'responses': lambda messages: input_items(messages, OPENAI, stored=False),
    'anthropic': lambda messages: anthropic_messages(messages, 'anthropic'),
    'google': lambda messages: contents(messages, 'google', gemini_3=True),
    'bedrock': lambda messages: converse_messages(messages, 'bedrock', status=True),
    'openai messages': messages_to_openai,
    'estimate': estimate_usage,
}


@pytest.mark.parametrize('name', WRITERS)
@pytest.mark.parametrize('kind', [ModelRequest, ModelResponse])
def test_a_writer_refuses_a_made_up_part(name: str, kind: Any) -> None:
    question = ModelRequest([UserPromptPart('Hi')])
    WRITERS[name]([question, kind([*(question.parts if kind is ModelRequest else [TextPart('Hello')])])])
    with pytest.raises(UserError, match=rf'^A {kind.__name__} cannot hold MadeUp\('):
        WRITERS[name]([question, kind([MADE_UP])])


@pytest.mark.parametrize(
    'use',
    [
        lambda: input_messages([ModelRequest([MADE_UP])], binary=False),
        lambda: output_messages(ModelResponse([MADE_UP])),
        lambda: weigh_events([MADE_UP]),
        lambda: weigh_events([PartStartEvent(0, MADE_UP)]),
        lambda: weigh_events([PartDeltaEvent(0, MADE_UP)]),
        lambda: ArrivingPart(MADE_UP),
        lambda: ArrivingPart(TextPart('a')).add(MADE_UP),
    ],
    ids=['span of a request', 'span of a response', 'weight', 'weight of a part', 'weight of a delta', 'part', 'delta'],
)
def test_no_reader_passes_over_what_is_made_up(use: Callable[[], object]) -> None:
    with pytest.raises(AssertionError, match='MadeUp'):
        use()


class _Odd(TestModel):
    """A model of a user, whose stream holds an event or a part that no model has."""

    def __init__(self, event: Any) -> None:
        super().__init__()
        self._event = event

    @asynccontextmanager
    async def request_stream(self, *args: Any) -> AsyncIterator[StreamedResponse]:
        async with super().request_stream(*args) as stream:
            yield _OddResponse(stream, self._event)


class _OddResponse(StreamedResponse):
    def __init__(self, stream: StreamedResponse, event: Any) -> None:
        super().__init__('odd')
        self._stream = stream
        self._event = event

    async def batches(self) -> AsyncIterator[list[Any]]:
        async for batch in self._stream.batches():
            yield batch
        yield [self._event]


@pytest.mark.parametrize('event', [MADE_UP, PartStartEvent(7, MADE_UP), PartDeltaEvent(0, MADE_UP)])
def test_the_stream_of_a_run_does_not_pass_over_it(event: Any) -> None:
    with (
        pytest.raises(AssertionError, match='MadeUp'),
        Agent(_Odd(event)).run_stream_sync('Hi') as stream,
    ):
        list(stream.stream_text())
