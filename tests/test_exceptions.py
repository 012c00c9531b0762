"""Every error can be pickled and copied, with all that it holds, and shows no key."""

from __future__ import annotations

import copy
import inspect
import json
import pickle
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from syncai import exceptions
from syncai._base.http_words import provider_words
from syncai.direct import model_request_stream_sync, model_request_sync
from syncai.exceptions import (
    AgentRunError,
    AllModelsFailed,
    BatchError,
    BudgetExceeded,
    ConversationConflict,
    DecisionError,
    IncompleteStreamError,
    ModelAPIError,
    ModelConnectionError,
    ModelHTTPError,
    ModelTimeoutError,
    SyncAIError,
    UnexpectedModelBehavior,
)
from syncai.messages import ModelRequest, ModelResponse, TextPart
from syncai.models.openai import OpenAIChatModel
from syncai.settings import HttpOptions
from syncai.testing import ModelServer, Reply

KEY = 'sk-secret-0123456789'
QUESTION = [ModelRequest.user_text_prompt('hello')]
CLASSES = [
    value for _, value in inspect.getmembers(exceptions, inspect.isclass) if issubclass(value, exceptions.SyncAIError)
]
COPIERS: dict[str, Callable[[Any], Any]] = {
    'copy': copy.copy,
    'deepcopy': copy.deepcopy,
    'oldest pickle': lambda error: pickle.loads(pickle.dumps(error, 0)),
    'usual pickle': lambda error: pickle.loads(pickle.dumps(error)),
    'newest pickle': lambda error: pickle.loads(pickle.dumps(error, pickle.HIGHEST_PROTOCOL)),
}


OWN: dict[type[SyncAIError], dict[str, Any]] = {
    UnexpectedModelBehavior: {'body': 'an excerpt'},
    BudgetExceeded: {
        'name': 'user:42',
        'spent': Decimal('4.99'),
        'limit': Decimal(5),
        'resets_at': datetime(2026, 11, 28, tzinfo=UTC),
    },
    BatchError: {'reason': 'expired', 'job_id': 'batch_1'},
    ConversationConflict: {'id': 'user-42', 'version': 3},
    DecisionError: {'tools': ('refund',)},
}


def example(cls: type[SyncAIError]) -> SyncAIError:
    """An error of the class with a value for everything that it can hold."""
    more: dict[str, Any] = {}
    if issubclass(cls, AgentRunError):
        more |= {'provider': 'p', 'partial': ModelResponse(parts=[TextPart('half an answ')], incomplete=True)}
    if issubclass(cls, ModelAPIError):
        more |= {'request_id': 'req-7', 'attempts': 3, 'retry_after': 1.5}
    if issubclass(cls, ModelConnectionError):
        more['host'] = 'host:1'
    if issubclass(cls, ModelTimeoutError):
        more |= {'phase': 'connect', 'limit': 2.5}
    if issubclass(cls, ModelHTTPError):
        body = {'error': {'message': 'm', 'details': [1]}}
        more |= {'headers': {'x-ratelimit-limit': '5'}, 'endpoint': 'POST /v1/x', 'hint': 'Wait.'}
        return cls(429, 'the-model', body, **more)
    if issubclass(cls, AgentRunError):
        more['model_name'] = 'the-model'
    more |= next((own for base, own in OWN.items() if issubclass(cls, base)), {})
    if issubclass(cls, AllModelsFailed):
        return cls('what happened', [UnexpectedModelBehavior('no'), ModelHTTPError(500, 'm')], **more)
    return cls('what happened', **more)


def test_all_classes_are_public_and_tried() -> None:
    assert {cls.__name__ for cls in CLASSES} == set(exceptions.__all__)
    assert len(CLASSES) > 25


@pytest.mark.many(3)
@pytest.mark.parametrize('copier', COPIERS.values(), ids=COPIERS)
@pytest.mark.parametrize('cls', CLASSES, ids=lambda cls: cls.__name__)
def test_a_copy_has_all_that_the_error_has(cls: type[SyncAIError], copier: Callable[[Any], Any]) -> None:
    error = example(cls)
    error.add_note('a note')
    try:
        raise error
    except SyncAIError as raised:
        again: Any = copier(raised)
    assert again is not error
    # The errors in a group are copies too, and no two errors are equal.
    assert [type(again), repr(again.args), str(again)] == [cls, repr(error.args), str(error)]
    assert repr(again) == repr(error)
    assert vars(again) == vars(error)
    if isinstance(error, AgentRunError):
        assert again.partial.text == 'half an answ'
        assert None not in [value for name, value in vars(again).items()]


@pytest.mark.parametrize('cls', CLASSES, ids=lambda cls: cls.__name__)
def test_a_deep_copy_shares_nothing_that_changes(cls: type[SyncAIError]) -> None:
    error: Any = example(cls)
    again = copy.deepcopy(error)
    if isinstance(error, AgentRunError):
        assert again.partial is not error.partial
    if isinstance(error, ModelHTTPError):
        again.body['error']['details'].append(2)
        assert error.body == {'error': {'message': 'm', 'details': [1]}}


FAILURES = [
    *[
        Reply(status=status, body={'error': {'message': f'bad {KEY}'}})
        for status in (400, 401, 403, 404, 429, 500, 503)
    ],
    Reply(body=f'<html>{KEY}</html>', content_type='text/html'),
    Reply(ending='reset', cut_after_events=0),
    Reply('Hello ', 'world', ending='eof'),
    Reply('Hello ', 'world', malformed_event_at=1),
]


@pytest.mark.parametrize('reply', FAILURES, ids=lambda r: f'{r.status} {r.ending} {r.content_type}')
def test_no_error_shows_or_holds_the_key(reply: Reply) -> None:
    with ModelServer(lambda request: reply) as server:
        model = OpenAIChatModel('m', base_url=server.base_url, api_key=KEY, http=HttpOptions(max_retries=0))
        caught = [raised_by(lambda: list(stream_of(model)))]
        if reply.ending == 'done' and reply.malformed_event_at is None:
            caught.append(raised_by(lambda: model_request_sync(model, QUESTION)))
    for error in caught:
        shown = f'{error}{error!r}{vars(error)}{"".join(traceback.format_exception(error))}'
        assert KEY not in shown
        assert KEY.encode() not in pickle.dumps(error)
        assert not {'httpx', 'httptools'} & libraries_behind(error)
        assert str(pickle.loads(pickle.dumps(error))) == str(error)


@pytest.mark.parametrize('cls', [c for c in CLASSES if not issubclass(c, AllModelsFailed)], ids=lambda c: c.__name__)
def test_an_error_made_again_from_its_class_and_arguments(cls: type[SyncAIError]) -> None:
    """As by Celery, where results are JSON: the arguments are all that travels."""
    error = example(cls)
    again = cls(*json.loads(json.dumps(error.args)))
    if isinstance(error, ModelHTTPError):  # whose message has facts besides
        assert getattr(again, 'body', None) == error.body
        assert provider_words(error.body) in str(again)
    else:
        assert str(error).startswith(str(again))
    assert getattr(again, 'status_code', None) == getattr(error, 'status_code', None)


def test_the_partial_answer_of_a_real_stream_survives_pickling() -> None:
    with ModelServer() as server:
        server.reply(Reply('Hello ', 'world', ending='eof'))
        error = raised_by(lambda: list(stream_of(OpenAIChatModel('m', base_url=server.base_url))))
    again = pickle.loads(pickle.dumps(error))
    assert isinstance(error, IncompleteStreamError)
    assert again.partial == error.partial
    assert again.partial is not None
    assert again.partial.text == 'Hello world'


def stream_of(model: OpenAIChatModel) -> Any:
    with model_request_stream_sync(model, QUESTION) as stream:
        yield from stream


def raised_by(call: Callable[[], object]) -> SyncAIError:
    with pytest.raises(SyncAIError) as caught:
        call()
    return caught.value


def libraries_behind(error: BaseException | None) -> set[str]:
    """The packages of all errors that hang on to an error."""
    found = set()
    while error is not None:
        found.add(type(error).__module__.partition('.')[0])
        error = error.__cause__ or error.__context__
    return found
