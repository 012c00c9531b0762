"""`FallbackModel` over real sockets: every way to fail that it must get over."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from fallbacks import Ask, failing_first, streams, two, ways, whole_sync, wholes

from syncai.exceptions import (
    AllModelsFailed,
    AuthenticationError,
    ContentFilterError,
    ContextWindowExceeded,
    ModelAPIError,
    OverloadedError,
    RateLimitError,
    UnexpectedModelBehavior,
)
from syncai.messages import ModelResponse
from syncai.models.anthropic import AnthropicModel
from syncai.models.fallback import FallbackModel
from syncai.models.openai import OpenAIChatModel
from syncai.settings import HttpOptions
from syncai.testing import ModelServer, Reply
from syncai.usage import Usage

TOO_LONG = {'error': {'code': 'context_length_exceeded', 'message': 'maximum context length is 8 tokens', 'type': 'x'}}
FILTERED = {'error': {'code': 'content_filter', 'message': 'filtered', 'type': 'x'}}


@ways
@pytest.mark.parametrize('status', [401, 429, 500, 503])
def test_an_error_status(ask: Ask, status: int) -> None:
    failing_first(ask, Reply(status=status))


@ways
def test_the_retries_of_a_model_come_before_the_next_one(ask: Ask) -> None:
    at_once = {'retry-after-ms': '1'}
    with two(Reply(status=503, headers=at_once), Reply(status=503, headers=at_once)) as pair:
        assert ask(pair.model(http=HttpOptions(max_retries=1))).text == 'from two'
        assert pair.asked == (2, 1)


@ways
def test_a_reset_before_the_answer(ask: Ask) -> None:
    failing_first(ask, Reply(ending='reset_before_headers'))


@ways
def test_nobody_listens(ask: Ask) -> None:
    with ModelServer() as gone:
        pass
    with ModelServer(Reply('from two')) as server:
        http = HttpOptions(max_retries=0)
        primary = OpenAIChatModel('one', base_url=gone.base_url, api_key='k', http=http)
        other = OpenAIChatModel('two', base_url=server.base_url, api_key='k', http=http)
        assert ask(FallbackModel(primary, other)).text == 'from two'


@ways
def test_a_silent_server_and_a_limit_for_the_first_token(ask: Ask) -> None:
    failing_first(ask, Reply('late', delay_first_event=20), http=HttpOptions(max_retries=0, first_event_timeout=0.1))


@streams
@pytest.mark.parametrize('ending', ['eof', 'cut', 'reset', 'error'])
def test_a_stream_that_breaks_before_its_first_event_is_begun_anew(ask: Ask, ending: Any) -> None:
    failing_first(ask, Reply('never', ending=ending, cut_after_events=0))


@wholes
@pytest.mark.parametrize('ending', ['cut', 'reset', 'error'])
def test_a_whole_answer_that_breaks_off(ask: Ask, ending: Any) -> None:
    failing_first(ask, Reply('never', ending=ending))


@ways
def test_a_malformed_chunk_at_the_start(ask: Ask) -> None:
    broken = Reply('never', malformed_event_at=0)
    failing_first(ask, broken, fallback_on=(ModelAPIError, UnexpectedModelBehavior))
    with two(broken) as pair, pytest.raises(UnexpectedModelBehavior):  # an answer without sense, unless it is chosen
        ask(pair.model())


@ways
def test_a_conversation_too_long_goes_to_a_bigger_model(ask: Ask) -> None:
    failing_first(ask, Reply(status=400, body=TOO_LONG), fallback_on=ContextWindowExceeded)


@ways
def test_a_content_filter_is_not_asked_twice_and_falls_to_the_next_when_asked_for(ask: Ask) -> None:
    reply = Reply(status=400, body=FILTERED)
    failing_first(ask, reply, fallback_on=[ContentFilterError], http=HttpOptions(max_retries=2))
    with two(reply) as pair:
        with pytest.raises(ContentFilterError):
            ask(pair.model(http=HttpOptions(max_retries=2)))
        assert pair.asked == (1, 0)


@wholes
def test_a_filtered_answer_is_given_up(ask: Ask) -> None:
    def filtered(response: ModelResponse) -> bool:
        return response.finish_reason == 'content_filter'

    reply = Reply('I cannot', finish_reason='content_filter', usage=(10, 2))
    response = failing_first(ask, reply, fallback_on=[ModelAPIError, filtered])
    assert response.usage == Usage(2, 15, 9, 24)


@streams
def test_a_filtered_stream_without_any_event_is_given_up(ask: Ask) -> None:
    reply = Reply(finish_reason='content_filter', usage=(10, 0))
    response = failing_first(ask, reply, fallback_on=lambda response: response.finish_reason == 'content_filter')
    assert response.usage == Usage(2, 15, 7, 22)


@ways
def test_a_flapping_primary_is_asked_again_each_time(ask: Ask) -> None:
    good = Reply('from one', usage=(1, 1))
    with two(Reply(status=500), good, Reply(status=500), good) as pair:
        model = pair.model()
        assert [ask(model).text for _ in range(4)] == ['from two', 'from one'] * 2
        assert pair.asked == (4, 2)


@ways
def test_every_model_that_was_asked_counts_as_a_request(ask: Ask) -> None:
    assert failing_first(ask, Reply(status=503)).usage == Usage(2, 5, 7, 12)


@streams
def test_what_a_broken_stream_had_used_is_part_of_the_usage(ask: Ask) -> None:
    first = Reply('never', usage=(10, 2), ending='eof', cut_after_events=1)  # the opening event, with its usage
    with ModelServer([first]) as one, ModelServer(Reply('from two', usage=(5, 7))) as other:
        http = HttpOptions(max_retries=0)
        models = [AnthropicModel('c', base_url=s.base_url, api_key='k', http=http) for s in (one, other)]
        response = ask(FallbackModel(*models))
    assert (response.text, response.usage) == ('from two', Usage(2, 15, 8, 23))


@ways
def test_all_fail(ask: Ask) -> None:
    with two(Reply(status=429), second=Reply(status=529)) as pair, pytest.raises(AllModelsFailed) as caught:
        ask(pair.model())
    error = caught.value
    assert [type(one) for one in error.errors] == [RateLimitError, OverloadedError]
    assert [getattr(one, 'model_name', None) for one in error.errors] == ['one', 'claude-two']
    assert 'openai:one: RateLimitError' in str(error)
    assert 'anthropic:claude-two: OverloadedError' in str(error)
    assert (error.model_name, error.provider) == ('fallback:one,claude-two', 'fallback')
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), [type(one) for one in again.errors]) == (str(error), [RateLimitError, OverloadedError])


def test_the_group_can_be_taken_apart_with_except_star() -> None:
    found: list[object] = []
    with two(Reply(status=429), second=Reply(status=401)) as pair:
        try:
            whole_sync(pair.model())
        except* RateLimitError as group:
            found += group.exceptions
        except* AuthenticationError as group:
            found += group.exceptions
    assert [type(one) for one in found] == [RateLimitError, AuthenticationError]
