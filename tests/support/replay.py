"""Recorded traffic replayed over real sockets, and requests compared field by field; shared by the tests of formats."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from fnmatch import fnmatchcase
from itertools import zip_longest
from pathlib import Path
from typing import Any, Literal, TypeAlias

import pytest
from beside import RECORDINGS

from syncai.direct import model_request_stream_sync, model_request_sync
from syncai.exceptions import AgentRunError
from syncai.messages import ModelMessage, ModelMessagesTypeAdapter, ModelResponse, ModelResponseStreamEvent
from syncai.models import Model, ModelRequestParameters
from syncai.testing import ModelServer, RecordedRequest, Reply

Cutting: TypeAlias = Literal['whole', 'bytes', 'random']
CUTTINGS: tuple[Cutting, ...] = ('whole', 'bytes', 'random')
"""All at once, byte by byte, or in pieces of a size that is the same in every run of one exchange."""


# --- what was recorded ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Exchange:
    """One request and its answer; `name` is the file's with the number of the exchange in it."""

    name: str
    url: str
    request: dict[str, Any]
    status: int
    content_type: str
    body: str

    @property
    def json(self) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(self.body)
        return body

    @property
    def payloads(self) -> list[dict[str, Any]]:
        """The JSON of the events in a stream; an end such as `[DONE]` is left out."""
        lines = [line.removeprefix('data:').strip() for line in self.body.splitlines() if line.startswith('data:')]
        return [json.loads(line) for line in lines if line != '[DONE]']


def conversations(provider: str) -> dict[str, list[Exchange]]:
    """The exchanges of each recording of a provider by the file's name; empty where there are no recordings."""
    return {path.stem: list(_exchanges(path)) for path in sorted((RECORDINGS / provider).glob('*.json'))}


def exchanges(provider: str, url_end: str = '') -> list[Any]:
    """For `pytest.mark.parametrize`: every exchange whose URL (without query) ends so."""
    all_exchanges = [exchange for conversation in conversations(provider).values() for exchange in conversation]
    return [pytest.param(e, id=e.name) for e in all_exchanges if e.url.partition('?')[0].endswith(url_end)]


def _exchanges(path: Path) -> Iterator[Exchange]:
    for number, recorded in enumerate(json.loads(path.read_text(encoding='utf-8'))):
        request, response = recorded['request'], recorded['response']
        headers = {name.lower(): value for name, value in response['headers'].items()}
        kind = headers.get('content-type', 'application/json')
        yield Exchange(
            f'{path.stem}-{number}', request['url'], request['json'], response['status'], kind, response['body']
        )


# --- the answer, over a socket ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Replayed:
    """The outcome of an exchange: the answer or the error, the events of a stream, and the request that was sent."""

    response: ModelResponse | None
    error: AgentRunError | None
    events: Sequence[ModelResponseStreamEvent]
    request: RecordedRequest

    @property
    def answer(self) -> ModelResponse:
        assert self.response is not None, self.error
        return self.response


def replay(
    model_of: Callable[[ModelServer], Model],
    exchange: Exchange,
    messages: Sequence[ModelMessage],
    *,
    stream: bool,
    cutting: Cutting = 'whole',
    settings: Any = None,
    parameters: ModelRequestParameters | None = None,
) -> Replayed:
    """Ask a model of `model_of(server)`, whose server answers as recorded."""
    size = {'whole': None, 'bytes': 1, 'random': random.Random(exchange.name).randint(2, 999)}[cutting]
    no_retry = {'x-should-retry': 'false'} if exchange.status >= 400 else None
    body = exchange.body.encode()
    reply = Reply(
        status=exchange.status, body=body, content_type=exchange.content_type, cut_bytes=size, headers=no_retry
    )
    events: list[ModelResponseStreamEvent] = []
    response, failure = None, None
    with ModelServer([reply]) as server:
        options: Any = {'model_settings': settings, 'model_request_parameters': parameters}
        try:
            if stream:
                with model_request_stream_sync(model_of(server), messages, **options) as answer:
                    events.extend(answer)
                    response = answer.get()
            else:
                response = model_request_sync(model_of(server), messages, **options)
        except AgentRunError as error:
            failure = error
        (request,) = server.requests
    return Replayed(response, failure, events, request)


def converse(
    recorded: Sequence[Exchange],
    message_of: Callable[[Exchange, ModelResponse | None], ModelMessage],
    ask: Callable[[Exchange, Sequence[ModelMessage]], Replayed],
) -> Iterator[tuple[Exchange, Replayed]]:
    """Repeat a recorded conversation: each answer, as it is read now, is part of the next request.

    Args:
        recorded: Its exchanges.
        message_of: Returns the message of the user in an exchange, from the exchange and the answer before it.
        ask: Replays an exchange with the messages so far.
    """
    messages: list[ModelMessage] = []
    answer: ModelResponse | None = None
    for exchange in recorded:
        messages.append(message_of(exchange, answer))
        result = ask(exchange, messages)
        yield exchange, result
        answer = result.response
        if answer is not None:
            stored_text = ModelMessagesTypeAdapter.dump_json([answer])  # as after a night in a database
            messages += ModelMessagesTypeAdapter.validate_json(stored_text)


# --- the request, field by field --------------------------------------------------------------------------------------


class _Missing:
    def __repr__(self) -> str:
        return 'MISSING'


MISSING: Any = _Missing()
"""The value of a field that one side has and the other has not."""

ANY: Any = object()


@dataclass(frozen=True)
class Difference:
    """A field that differs; `path` is such as `messages.2.content`, with the index of the pair of items in a list."""

    path: str
    ours: Any
    recorded: Any


@dataclass(frozen=True)
class Deliberate:
    """An intended difference, and the reason for it. `*` in the path stands for anything; a value that is left out
    too.
    """

    path: str
    why: str
    ours: Any = ANY
    recorded: Any = ANY

    def explains(self, difference: Difference) -> bool:
        if not fnmatchcase(difference.path, self.path):
            return False
        return all(
            allowed is ANY or (allowed is value if MISSING in (allowed, value) else allowed == value)
            for allowed, value in ((self.ours, difference.ours), (self.recorded, difference.recorded))
        )


def assert_same_request(ours: object, recorded: object, deliberate: Sequence[Deliberate] = ()) -> list[Deliberate]:
    """Fail with every difference that no entry of `deliberate` explains; returns the entries that were needed."""
    needed, unexplained = [], []
    for difference in differences(ours, recorded):
        reason = next((entry for entry in deliberate if entry.explains(difference)), None)
        if reason is None:
            unexplained.append(f'{difference.path}: ours {difference.ours!r}, recorded {difference.recorded!r}')
        elif reason not in needed:
            needed.append(reason)
    assert not unexplained, 'not as recorded:\n' + '\n'.join(unexplained)
    return needed


def differences(ours: object, recorded: object, path: str = '') -> Iterator[Difference]:
    """The fields in which two JSON values differ; items that only one list has are one difference each."""
    if isinstance(ours, dict) and isinstance(recorded, dict):
        for key in dict.fromkeys((*recorded, *ours)):
            yield from differences(ours.get(key, MISSING), recorded.get(key, MISSING), f'{path}.{key}'.lstrip('.'))
    elif isinstance(ours, list) and isinstance(recorded, list):
        for number, (left, right) in enumerate(_aligned(ours, recorded)):
            yield from differences(left, right, f'{path}.{number}'.lstrip('.'))
    elif isinstance(ours, bool) != isinstance(recorded, bool) or ours != recorded:  # True is not 1
        yield Difference(path, ours, recorded)


def _aligned(ours: list[Any], recorded: list[Any]) -> Iterator[tuple[Any, Any]]:
    """The items of both lists in pairs, so that one additional item does not make all following pairs differ."""
    left, right = ([json.dumps(item, sort_keys=True) for item in items] for items in (ours, recorded))
    for _, i, j, m, n in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        yield from zip_longest(ours[i:j], recorded[m:n], fillvalue=MISSING)
