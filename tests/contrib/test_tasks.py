"""When queues should try again; and failures that go through any serializer."""

from __future__ import annotations

import json
import pickle

import pytest

from syncai import Agent
from syncai.contrib.celery import TaskFailed
from syncai.contrib.tasks import retry_in
from syncai.exceptions import (
    AuthenticationError,
    DeadlineExceeded,
    IncompleteStreamError,
    ModelConnectionError,
    OverloadedError,
    RateLimitError,
    UserError,
)
from syncai.models.openai import OpenAIChatModel
from syncai.testing import ModelServer, Reply


@pytest.mark.parametrize(
    ('error', 'seconds'),
    [
        (RateLimitError(429, retry_after=7), 7.0),
        (OverloadedError(529), 10.0),
        (ModelConnectionError('x'), 10.0),
        (IncompleteStreamError('x'), 10.0),
        (DeadlineExceeded('x'), None),
        (AuthenticationError(401), None),
        (UserError('x'), None),
        (ValueError('x'), None),
    ],
)
def test_retry_in(error: Exception, seconds: float | None) -> None:
    assert retry_in(error) == seconds


def test_a_failure_goes_through_json_and_pickle(model_server: ModelServer) -> None:
    model_server.reply(Reply('half of an ans', ending='cut'))
    agent = Agent(OpenAIChatModel('m', base_url=model_server.base_url))
    with pytest.raises(IncompleteStreamError) as caught, agent.run_stream_sync('x') as stream:
        list(stream.stream_text())
    failure = TaskFailed.of(caught.value, [])
    again = TaskFailed(*json.loads(json.dumps(failure.args)))  # as the JSON serializer of Celery makes it
    for one in (failure, again, pickle.loads(pickle.dumps(failure))):
        assert one.kind == 'IncompleteStreamError'
        assert one.partial is not None
        assert one.partial.text == 'half of an ans'
        assert str(one).startswith('IncompleteStreamError: ')
