"""The corrections that are sent back to the model, their number, and the end of a run without a result."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from agent_faces import Ask, Script, both, call, model_of
from pydantic import BaseModel

from syncai.agent import Agent
from syncai.exceptions import ContentFilterError, ModelRetry, UnexpectedModelBehavior, UsageLimitExceeded
from syncai.messages import ModelMessage, ModelRequest, ModelResponse, RetryPromptPart, TextPart, ToolReturnPart
from syncai.models import Model, ModelRequestParameters
from syncai.models.test import TestModel
from syncai.settings import ModelSettings
from syncai.testing import ModelServer, Reply, ToolCall
from syncai.tools import RunContext, Tool
from syncai.usage import Usage, UsageLimits


class Box(BaseModel):
    width: int
    height: int


GOOD, BAD = {'width': 1, 'height': 2}, {'width': 'wide'}


# --- results ----------------------------------------------------------------------------------------------------------


@both
def test_wrong_arguments_go_back_with_the_errors_of_pydantic(ask: Ask, model_server: ModelServer) -> None:
    model_server.reply(
        Reply(tool_calls=[ToolCall('final_result', BAD, 'call_1')]),
        Reply(tool_calls=[ToolCall('final_result', GOOD, 'call_2')]),
    )
    result = ask(Agent(model_of(model_server), result_type=Box), 'A box')
    assert result.data == Box(width=1, height=2)
    assert result.usage().requests == 2
    sent = model_server.requests[1].json['messages'][-1]
    assert (sent['role'], sent['tool_call_id']) == ('tool', 'call_1')
    assert sent['content'].startswith('2 validation errors: ')
    assert sent['content'].endswith('Fix the errors and try again.')
    assert '"type": "int_parsing"' in sent['content']
    assert '"wide"' in sent['content']
    assert 'errors.pydantic.dev' not in sent['content']


@pytest.mark.parametrize('args', ['{"width": 1, "hei', 'not json', '[1]', '"text"', 'null', ''])
@both
def test_arguments_that_are_no_object(ask: Ask, args: str) -> None:
    script = Script(call('final_result', args), call('final_result', GOOD))
    assert ask(Agent(script.model, result_type=Box), 'x').data.height == 2
    assert isinstance(script.last_parts()[0], RetryPromptPart)


@both
def test_text_where_none_is_allowed(ask: Ask) -> None:
    script = Script('a box, 1 by 2', call('final_result', GOOD))

    def measure() -> str:
        return ''

    assert ask(Agent(script.model, result_type=Box, tools=[measure]), 'x').data.width == 1
    (part,) = script.last_parts()
    assert part.content == 'Plain text is not a valid answer here: call one of the tools (final_result, measure).'
    assert part.tool_name is None


@both
def test_an_empty_answer_is_asked_for_again(ask: Ask) -> None:
    script = Script(ModelResponse([]), ModelResponse([TextPart('')]), 'here')
    assert ask(Agent(script.model, retries=2), 'x').data == 'here'
    assert script.last_parts()[0].content == 'The answer was empty.'


@pytest.mark.parametrize(('retries', 'result_retries', 'attempts'), [(1, None, 2), (3, None, 4), (3, 0, 1), (0, 2, 3)])
@both
def test_the_limit_of_attempts(ask: Ask, retries: int, result_retries: int | None, attempts: int) -> None:
    script = Script(*[call('final_result', BAD)] * attempts)
    agent = Agent(script.model, result_type=Box, retries=retries, result_retries=result_retries, name='boxes')
    with pytest.raises(UnexpectedModelBehavior, match=f'no valid result in {attempts} attempts') as caught:
        ask(agent, 'x')
    assert len(script.asked) == attempts
    messages = caught.value.messages
    assert messages is not None
    assert isinstance(messages[-1], ModelResponse)
    assert len(messages) == 2 * attempts
    assert 'wide' in str(caught.value)
    assert (caught.value.model_name, caught.value.provider) == ('script', 'function')
    script.asked.clear()
    with pytest.raises(UnexpectedModelBehavior):  # nothing of the first run is left
        ask(agent, 'x')
    assert len(script.asked) == attempts


@both
def test_result_validators(ask: Ask) -> None:
    script = Script(*(call('final_result', {'width': w, 'height': 1}, f'id{w}') for w in (1, 2, 3)))
    agent = Agent(script.model, result_type=Box, deps_type=int, result_retries=2)
    seen: list[Any] = []

    @agent.result_validator
    def wide(ctx: RunContext[int], data: Box) -> Box:
        seen.append((ctx.deps, ctx.retry, ctx.tool_name, ctx.tool_call_id, ctx.run_step))
        if data.width < ctx.deps:
            raise ModelRetry(f'At least {ctx.deps} wide.')
        return data

    @agent.result_validator
    async def doubled(data: Box) -> Box:
        return Box(width=data.width * 2, height=data.height)

    assert ask(agent, 'x', deps=3).data == Box(width=6, height=1)
    assert seen == [(3, i, 'final_result', f'id{i + 1}', i + 1) for i in range(3)]
    (part,) = script.last_parts()
    assert part == RetryPromptPart(
        'At least 3 wide.', tool_name='final_result', tool_call_id='id2', timestamp=part.timestamp
    )


@both
def test_a_validator_of_text(ask: Ask) -> None:
    script = Script('short', 'long enough')
    agent = Agent(script.model)

    @agent.result_validator
    def long(data: str) -> str:
        if len(data) < 6:
            raise ModelRetry('Longer.')
        return data.upper()

    assert ask(agent, 'x').data == 'LONG ENOUGH'


# --- calls ------------------------------------------------------------------------------------------------------------


@both
def test_an_unknown_tool(ask: Ask) -> None:
    script = Script([call('nothing'), call('add', {'a': 1})], [call('final_result', GOOD)])
    called: list[int] = []

    def add(a: int) -> int:
        called.append(a)
        return a + 1

    result = ask(Agent(script.model, result_type=Box, tools=[add]), 'x')
    assert result.data == Box(width=1, height=2)
    unknown, added = script.last_parts()
    assert unknown.content == "There is no tool 'nothing'. The tools are: add, final_result."
    assert unknown.tool_call_id == 'id_nothing'
    assert added.content == 2
    with pytest.raises(UnexpectedModelBehavior, match="there is no tool 'nothing'"):
        ask(Agent(Script(*[call('nothing')] * 2).model), 'x')


@both
def test_one_bad_answer_is_counted_once(ask: Ask) -> None:
    bad = [call('final_result', BAD, '1'), call('final_result', BAD, '2'), call('nothing')]
    script = Script(bad, call('final_result', GOOD))
    assert ask(Agent(script.model, result_type=Box, retries=1), 'x').data.width == 1
    assert [part.tool_call_id for part in script.last_parts()] == ['1', '2', 'id_nothing']


@both
def test_calls_of_one_answer_that_fail_together_are_counted_once(ask: Ask) -> None:
    script = Script([call('pick', {'n': 'x'}, '1'), call('pick', {'n': 'y'}, '2')], call('pick', {'n': 1}), 'done')

    def pick(n: int) -> int:
        return n

    assert ask(Agent(script.model, tools=[pick], retries=1), 'x').data == 'done'


@both
def test_a_tool_fails_too_often(ask: Ask) -> None:
    def shaky(ctx: RunContext[None]) -> str:
        raise ModelRetry(f'attempt {ctx.retry}')

    script = Script(*[call('shaky')] * 3)
    with pytest.raises(UnexpectedModelBehavior, match=r"Tool 'shaky' failed 3 times in a row \(retries=2\)") as caught:
        ask(Agent(script.model, tools=[Tool(shaky, retries=2)], retries=0), 'x')
    assert [script.last_parts(i)[0].content for i in (1, 2)] == ['attempt 0', 'attempt 1']
    assert caught.value.messages is not None


@both
def test_beside_a_result_a_tool_may_fail_as_often_as_it_likes(ask: Ask) -> None:
    def shaky() -> str:
        raise ModelRetry('no')

    script = Script(call('shaky'), [call('final_result', GOOD), call('shaky')])
    result = ask(Agent(script.model, result_type=Box, tools=[shaky], end_strategy='exhaustive'), 'x')
    assert result.data.width == 1
    assert [part.part_kind for part in result.all_messages()[-1].parts] == ['tool-return', 'retry-prompt']


@both
def test_a_success_forgets_the_failures(ask: Ask) -> None:
    retries: list[int] = []

    def odd(ctx: RunContext[None], n: int) -> str:
        retries.append(ctx.retry)
        if n % 2 == 0:
            raise ModelRetry('odd numbers only')
        return 'ok'

    script = Script(*(call('odd', {'n': n}) for n in (2, 3, 4, 5)), 'done')
    assert ask(Agent(script.model, tools=[odd]), 'x').data == 'done'
    assert retries == [0, 1, 0, 1]


# --- the end ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('strategy', ['early', 'exhaustive'])
@both
def test_calls_beside_a_result(ask: Ask, strategy: Any) -> None:
    called = []

    def note(text: str) -> str:
        called.append(text)
        return text

    calls = [
        call('note', {'text': 'a'}, '1'),
        call('final_result', GOOD, '2'),
        call('unknown', {}, '3'),
        call('note', {'text': 'b'}, '4'),
    ]
    result = ask(Agent(Script(calls).model, result_type=Box, tools=[note], end_strategy=strategy), 'x')
    assert result.data == Box(width=1, height=2)
    assert sorted(called) == ([] if strategy == 'early' else ['a', 'b'])  # an async caller's run in threads
    parts = result.all_messages()[-1].parts
    assert [part.tool_call_id for part in parts] == ['1', '2', '3', '4']
    not_called = 'Tool not called: the final result had been given already.'
    assert parts[0].content == (not_called if strategy == 'early' else 'a')


@both
def test_cut_off_at_the_most_tokens(ask: Ask, model_server: ModelServer) -> None:
    def note(text: str) -> str:
        return text

    for reply in (
        Reply(tool_calls=[ToolCall('final_result', '{"width": 1, "hei')], finish_reason='length'),
        Reply(tool_calls=[ToolCall('note', '{"text": "a long')], finish_reason='length'),
        Reply('1 by', finish_reason='length'),
    ):
        model_server.reply(reply)
        with pytest.raises(UnexpectedModelBehavior, match='raise max_tokens') as caught:
            ask(Agent(model_of(model_server), result_type=Box, tools=[note], retries=5), 'x')
        assert caught.value.partial is not None
    model_server.reply(Reply(finish_reason='length'))
    with pytest.raises(UnexpectedModelBehavior, match='before it answered: raise max_tokens'):
        ask(Agent(model_of(model_server), retries=5), 'x')
    model_server.reply(Reply('half a sen', finish_reason='length'))
    result = ask(Agent(model_of(model_server)), 'x')
    assert (result.data, result.response.finish_reason) == ('half a sen', 'length')
    assert model_server.replies_left == 0


@both
def test_withheld_by_the_content_filter(ask: Ask, model_server: ModelServer) -> None:
    for reply, kind in (
        (Reply(finish_reason='content_filter'), str),
        (Reply('1', finish_reason='content_filter'), Box),
    ):
        model_server.reply(reply)
        with pytest.raises(ContentFilterError) as caught:
            ask(Agent(model_of(model_server), result_type=kind, retries=5), 'x')
        assert caught.value.partial is not None
        assert caught.value.messages is not None
    assert model_server.replies_left == 0


# --- limits -----------------------------------------------------------------------------------------------------------


class Endless(Model):
    """Calls a tool forever, and counts nothing."""

    requests = 0

    @property
    def model_name(self) -> str:
        return 'endless'

    @property
    def system(self) -> str:
        return 'nobody'

    async def request(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        self.requests += 1
        return ModelResponse([call('more', {}, str(self.requests))])

    def request_stream(self, *args: Any) -> Any:
        raise NotImplementedError


def more() -> str:
    return 'more'


@both
def test_a_run_never_goes_on_for_ever(ask: Ask) -> None:
    model = Endless()
    with pytest.raises(UsageLimitExceeded, match='request_limit of 50') as caught:
        ask(Agent(model, tools=[more]), 'x')
    assert model.requests == 50
    assert caught.value.messages is not None
    last = caught.value.messages[-1]
    assert isinstance(last, ModelRequest)  # what the tools returned is not lost
    assert isinstance(last.parts[0], ToolReturnPart)
    assert (caught.value.model_name, caught.value.provider) == ('endless', 'nobody')


@pytest.mark.parametrize(
    ('limits', 'message'),
    [
        (UsageLimits(request_limit=1), 'request_limit of 1'),
        (UsageLimits(request_tokens_limit=29), '30 request_tokens, more than the request_tokens_limit of 29'),
        (UsageLimits(response_tokens_limit=5), '8 response_tokens'),
        (UsageLimits(total_tokens_limit=30), '38 total_tokens'),
        (UsageLimits(tool_calls_limit=1), 'tool_calls_limit of 1'),
    ],
)
@both
def test_each_limit(ask: Ask, limits: UsageLimits, message: str, model_server: ModelServer) -> None:
    calls = [ToolCall('more', id='1'), ToolCall('more', id='2')]
    model_server.reply(Reply(tool_calls=calls, usage=(10, 4)), Reply('done', usage=(20, 4)))
    called = []

    def more() -> str:
        called.append(1)
        return 'more'

    with pytest.raises(UsageLimitExceeded, match=message) as caught:
        ask(Agent(model_of(model_server), tools=[more], usage_limits=limits), 'x')
    assert caught.value.messages
    assert len(called) == (0 if 'tool_calls' in message else 2)
    assert len(model_server.requests) == (1 if 'request_limit' in message or 'tool_calls' in message else 2)


@both
def test_limits_of_a_run_and_what_was_used_before(ask: Ask) -> None:
    agent = Agent(TestModel(), tools=[more], usage_limits=UsageLimits(request_limit=1))
    result = ask(agent, 'x', usage_limits=UsageLimits(request_limit=2), usage=Usage())
    assert result.usage().requests == 2
    with pytest.raises(UsageLimitExceeded):
        ask(agent, 'x', usage_limits=UsageLimits(request_limit=3), usage=result.usage())
    assert ask(agent, 'x', usage_limits=UsageLimits(request_limit=None), usage=result.usage()).usage().requests == 4
    with pytest.raises(UsageLimitExceeded):
        ask(agent, 'x', usage_limits=UsageLimits(request_limit=0))


@both
def test_usage_is_added_up(ask: Ask, model_server: ModelServer) -> None:
    usage = {'prompt_tokens': 10, 'completion_tokens': 4, 'prompt_tokens_details': {'cached_tokens': 6}}
    model_server.reply(Reply(tool_calls=[ToolCall('more')], usage=usage), Reply('done', usage=usage))
    result = ask(Agent(model_of(model_server), tools=[more]), 'x')
    assert result.usage().requests == 2
    assert result.cost().request_tokens == 20
    assert result.cost().details == {'cached_tokens': 12}
    assert json.loads(result.all_messages_json())[1]['usage']['request_tokens'] == 10
