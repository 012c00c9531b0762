"""A part or an event of an unknown kind is an error in every writer and reader of them, and never left out."""

from __future__ import annotations

import ast
import io
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from django_apps import load_applications

from syncai import Agent, ModelRequest, ModelResponse, UserError
from syncai import events as agent_events
from syncai import messages as message_kinds
from syncai._canonical import canonical_key
from syncai._engine.model_call import weigh_events
from syncai._telemetry.content import input_messages, output_messages
from syncai.budgets._estimate import _of_request_part as expected_of_request
from syncai.budgets._estimate import _of_response_part as expected_of_response
from syncai.conversations import MemoryStore
from syncai.conversations._sizes import _of_part as tokens_of_part
from syncai.conversations._summaries import _words_in as words_in
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
from syncai.tape._events import Batch, batches_json
from syncai.web._ag_ui import AgUiWriter
from syncai.web._ai_sdk import AiSdkWriter
from syncai.web._events import EventsWriter
from syncai.web._text import TextWriter
from syncai.web._writer import Ids, Writer


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
PACKAGE = Path(__file__).parent.parent.parent / 'syncai'
KINDS = {
    name for name in (*message_kinds.__all__, *agent_events.__all__) if name.endswith(('Part', 'PartDelta', 'Event'))
}

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


def transcript(messages: list[Any]) -> object:
    load_applications()
    from syncai.contrib.django.transcript import transcript as of_the_admin

    return of_the_admin(messages)


def of_a_page(writer: type[Writer], *events: Any) -> None:
    page = writer(Ids('message', 'thread', 'run'))
    for event in events:
        page.event(event)


PAGES = [TextWriter, EventsWriter, AiSdkWriter, AgUiWriter]
ODD_EVENTS = {
    'event': [MADE_UP],
    'part': [PartStartEvent(0, MADE_UP)],
    'delta': [PartDeltaEvent(0, MADE_UP)],
    'delta of a text': [PartStartEvent(0, TextPart('a')), PartDeltaEvent(0, MADE_UP)],
}


@pytest.mark.parametrize('writer', PAGES, ids=lambda writer: writer.__name__)
@pytest.mark.parametrize('events', ODD_EVENTS.values(), ids=ODD_EVENTS)
def test_no_form_of_a_page_passes_over_it(writer: type[Writer], events: list[Any]) -> None:
    with pytest.raises(AssertionError, match='MadeUp'):
        of_a_page(writer, *events)


@pytest.mark.parametrize('events', ODD_EVENTS.values(), ids=ODD_EVENTS)
def test_neither_the_terminal_nor_a_tape_passes_over_it(events: list[Any]) -> None:
    with pytest.raises(AssertionError, match='MadeUp'):
        batches_json([Batch(0, events)])
    cli_answer = pytest.importorskip('syncai.cli._answer', reason='the extra cli')
    view = cli_answer.AnswerView(cli_answer.Console(file=io.StringIO()))
    with pytest.raises(AssertionError, match='MadeUp'):
        [view.take(event) for event in events]


def test_a_conversation_in_a_notebook_does_not_pass_over_it() -> None:
    conversation = Agent(TestModel()).conversation('a', store=MemoryStore())
    with (
        mock.patch.object(conversation, 'messages', return_value=[ModelResponse([MADE_UP])]),
        pytest.raises(AssertionError, match='MadeUp'),
    ):
        conversation._repr_markdown_()


@pytest.mark.parametrize('message', [ModelRequest([MADE_UP]), ModelResponse([MADE_UP])], ids=['request', 'response'])
@pytest.mark.parametrize(
    'use',
    [
        lambda message: canonical_key([message], name='messages'),
        lambda message: tokens_of_part(message.parts[0]),
        lambda message: words_in(message.parts[0]),
        lambda message: expected_of_request(message.parts[0]),
        lambda message: expected_of_response(message.parts[0]),
        lambda message: transcript([message]),
    ],
    ids=['key', 'size', 'summary', 'price of a question', 'price of an answer', 'admin'],
)
def test_nothing_that_reads_messages_passes_over_it(use: Callable[[Any], object], message: Any) -> None:
    with pytest.raises(AssertionError, match='MadeUp'):
        use(message)


def test_every_match_on_kinds_ends_in_an_error() -> None:
    lines = [line for path in PACKAGE.rglob('*.py') for line in open_matches(path.name, ast.parse(path.read_text()))]
    assert lines == [], 'let each of them end in `case _: assert_never(...)`'


def test_an_open_match_is_seen() -> None:
    code = 'match part:\n    case TextPart():\n        pass\n    case _:\n        {}\n'
    assert [*open_matches('a.py', ast.parse(code.format('pass')))] == ['a.py:1 passes over kinds without a name']
    assert [*open_matches('a.py', ast.parse(code.format('assert_never(part)')))] == []


def open_matches(name: str, tree: ast.Module) -> Iterator[str]:
    """The matches on kinds of parts or events that do not end in an error."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Match) and {*kinds_of(node)} & KINDS:
            last = node.cases[-1]
            end = ast.unparse(last.body[-1])
            if not isinstance(last.pattern, ast.MatchAs) or not end.startswith(('assert_never(', 'raise ')):
                yield f'{name}:{node.lineno} passes over kinds without a name'


def kinds_of(match: ast.Match) -> Iterator[str]:
    for case in match.cases:
        for node in ast.walk(case.pattern):
            if isinstance(node, ast.MatchClass):
                yield ast.unparse(node.cls)


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
