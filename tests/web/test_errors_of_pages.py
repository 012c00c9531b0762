"""The reply to a page for every class of error: a status and its headers, a code, and a sentence."""

from __future__ import annotations

import inspect
import logging
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pages import chunks
from streams import model_of

from syncai import Agent, exceptions
from syncai.exceptions import (
    AllModelsFailed,
    AuthenticationError,
    BudgetExceeded,
    ChatRequestError,
    DecisionError,
    ModelHTTPError,
    RateLimitError,
    UnexpectedModelBehavior,
)
from syncai.messages import ModelResponse, TextPart
from syncai.settings import HttpOptions
from syncai.testing import ModelServer, Reply
from syncai.web import encode, status_of

SECRET = 'words of the provider'
# Written down beside the tree, and not read from it: what the issue and docs/web.md say of each class.
ANSWERS: dict[str, tuple[int, str]] = {
    'SyncAIError': (500, 'internal'),
    'UserError': (500, 'internal'),
    'MissingKeyError': (500, 'internal'),
    'LoopThreadError': (500, 'internal'),
    'ChatRequestError': (400, 'refused'),
    'DecisionError': (409, 'refused'),
    'TapeError': (500, 'internal'),
    'TapeMismatch': (500, 'internal'),
    'ModelRetry': (500, 'internal'),
    'Pause': (500, 'internal'),
    'AgentRunError': (500, 'internal'),
    'UsageLimitExceeded': (429, 'limit'),
    'BudgetExceeded': (429, 'limit'),
    'UnexpectedModelBehavior': (502, 'internal'),
    'ContentFilterError': (400, 'filtered'),
    'AllModelsFailed': (502, 'overloaded'),
    'ReaderTimeout': (504, 'timeout'),
    'DownloadError': (400, 'refused'),
    'CallCancelled': (503, 'cut'),
    'LoopThreadDied': (503, 'cut'),
    'ForkedError': (503, 'cut'),
    'BatchError': (500, 'internal'),
    'StoreError': (503, 'internal'),
    'ConversationConflict': (409, 'conflict'),
    'ModelAPIError': (500, 'internal'),
    'ModelConnectionError': (502, 'overloaded'),
    'ModelTimeoutError': (504, 'timeout'),
    'DeadlineExceeded': (504, 'timeout'),
    'IncompleteStreamError': (502, 'cut'),
    'ModelHTTPError': (500, 'internal'),
    'BadRequestError': (500, 'internal'),
    'ContextWindowExceeded': (400, 'limit'),
    'AuthenticationError': (500, 'internal'),
    'PermissionDeniedError': (500, 'internal'),
    'NotFoundError': (500, 'internal'),
    'RateLimitError': (429, 'rate_limited'),
    'ServerError': (502, 'overloaded'),
    'OverloadedError': (503, 'overloaded'),
}
CLASSES = {
    name: value
    for name, value in inspect.getmembers(exceptions, inspect.isclass)
    if issubclass(value, exceptions.SyncAIError)
}


def example(cls: Any) -> BaseException:
    if issubclass(cls, ModelHTTPError):
        return cls(500, 'm', {'error': {'message': SECRET}})  # type: ignore[no-any-return]
    if issubclass(cls, AllModelsFailed):
        return cls(SECRET, [ModelHTTPError(500, 'm'), exceptions.ServerError(500, 'm')])  # type: ignore[no-any-return]
    return cls(SECRET)  # type: ignore[no-any-return]


def test_every_class_is_thought_of() -> None:
    assert set(ANSWERS) == set(CLASSES)


@pytest.mark.parametrize('name', ANSWERS)
def test_what_a_class_is_answered_with(name: str) -> None:
    reply = status_of(example(CLASSES[name]))
    assert (reply.status, reply.code) == ANSWERS[name]
    assert name == 'ChatRequestError' or SECRET not in reply.sentence  # that one's message is for the page
    assert reply.is_bug == (reply.code == 'internal')
    assert ('Retry-After' in reply.headers) == (reply.code in ('rate_limited', 'overloaded'))


def test_a_program_whose_run_raises_another_error_is_wrong() -> None:
    for error in (ZeroDivisionError(SECRET), RecursionError(), MemoryError(), OSError(SECRET)):
        reply = status_of(error)
        assert (reply.status, reply.code, reply.is_bug) == (500, 'internal', True)
        assert SECRET not in reply.sentence


@pytest.mark.parametrize(('status', 'answer'), [(408, 504), (504, 504), (524, 504), (500, 502), (502, 502)])
def test_a_provider_that_gave_up_waiting_is_a_timeout(status: int, answer: int) -> None:
    assert status_of(ModelHTTPError.of(status, 'm')).status == answer


def test_when_to_try_again() -> None:
    assert status_of(RateLimitError(429, 'm', retry_after=6.2)).headers['Retry-After'] == '7'
    assert status_of(RateLimitError(429, 'm', retry_after=0)).headers['Retry-After'] == '1'
    assert status_of(ModelHTTPError.of(503, 'm', retry_after=30)).headers['Retry-After'] == '30'
    assert status_of(RateLimitError(429, 'm', retry_after=1e12)).retry_after == 31 * 86_400
    tomorrow = datetime.now(UTC) + timedelta(hours=1)
    budget = BudgetExceeded('x', name='user:1', spent=Decimal(5), limit=Decimal(5), resets_at=tomorrow)
    assert 3500 < (status_of(budget).retry_after or 0) <= 3600
    assert 'Retry-After' not in status_of(BudgetExceeded('x')).headers


def test_of_several_models_the_last_one_counts() -> None:
    failed = AllModelsFailed('x', [AuthenticationError(401, 'm'), RateLimitError(429, 'm', retry_after=3)])
    assert status_of(failed).headers['Retry-After'] == '3'


def test_sentences_of_what_is_special() -> None:
    assert status_of(DecisionError('x', tools=('refund', 'pay'))).sentence.endswith('about: refund, pay.')
    assert status_of(ChatRequestError('Too long.', status_code=413)).body == b'Too long.'
    partial = ModelResponse([TextPart('half')], finish_reason='length')
    assert status_of(UnexpectedModelBehavior('x', partial=partial)).code == 'cut'


@pytest.mark.parametrize('form', ['ai-sdk', 'ag-ui', 'events', 'text'])
def test_an_error_behind_the_first_byte_is_an_event_with_a_code(
    form: Any, model_server: ModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    """As `useChat`, `HttpAgent` and a page read them: each form has a place for the code and for the sentence."""
    model_server.reply(Reply('Half', 'more', ending='cut', cut_after_events=2))
    stream = Agent(model_of(model_server, http=HttpOptions(max_retries=0))).run_stream_events_sync('Hi')
    with caplog.at_level(logging.WARNING, 'syncai'):
        body = b''.join(encode(stream, form))
    assert b'cut' in body
    assert b'The answer broke off. Please try again.' in body
    assert [record.levelname for record in caplog.records] == ['WARNING']
    if form != 'text':
        assert chunks(body)
