"""One step of a run at a time: each goes on from the messages alone."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from agent_faces import Script, call
from shop import LOOK, REFUND, Shop, answers_of

from syncai import (
    Agent,
    Approve,
    DeadlineExceeded,
    Deny,
    ModelRequest,
    ModelRetry,
    RunPaused,
    UnexpectedModelBehavior,
    UsageLimitExceeded,
    UsageLimits,
    UserError,
)
from syncai.messages import ModelResponse, RetryPromptPart, TextPart, ToolCallPart
from syncai.result import Step


def step_sync(agent: Agent[Any, Any], *args: Any, **options: Any) -> Step[Any]:
    return agent.step_sync(*args, **options)


def step_async(agent: Agent[Any, Any], *args: Any, **options: Any) -> Step[Any]:
    async def main() -> Step[Any]:
        return await agent.step(*args, **options)

    return asyncio.run(main())


both = pytest.mark.parametrize('take', [step_sync, step_async], ids=['sync', 'async'])


@both
@pytest.mark.parametrize('in_json', [False, True])
def test_steps_make_the_run(take: Any, in_json: bool) -> None:
    """The messages of a run in steps are those of the run at once."""
    answers = [LOOK], [call('look', {'order': 8}, 'm')], 'Done.'
    at_once, shop = Shop(*answers), Shop(*answers)
    whole = at_once.agent.run_sync('x')
    step, steps = take(shop.agent, [], 'x'), 1
    while not step.done:
        assert shop.done == at_once.done[:steps]
        assert step.pending == ()
        with pytest.raises(UserError, match='no result yet'):
            _ = step.result
        step, steps = take(shop.agent, step.messages_json() if in_json else step.messages, usage=step.usage), steps + 1
    assert steps == 3
    assert step.result.data == 'Done.'
    assert step.messages == step.result.all_messages()
    assert _shape(step.messages) == _shape(whole.all_messages())
    assert step.usage == whole.usage()
    assert shop.done == at_once.done


def _shape(messages: Any) -> Any:
    return [[(type(part), getattr(part, 'content', None)) for part in message.parts] for message in messages]


@pytest.mark.parametrize('answer', ['7', ToolCallPart('final_result', {'response': 7}, 'f')])
def test_the_last_step_made_twice_gives_the_result_again(answer: Any) -> None:
    result_type: Any = str if isinstance(answer, str) else int
    script = Script(answer)
    agent = Agent(script.model, result_type=result_type)
    step = agent.step_sync([], 'x')
    again = agent.step_sync(step.messages_json(), usage=step.usage)
    assert str(again.result.data) == '7'
    assert again.messages == step.messages
    assert again.usage == step.usage
    assert agent.resume_sync(step.messages, {}).data == step.result.data
    assert len(script.asked) == 1


def test_a_step_may_begin_with_a_request() -> None:
    assert Agent(Script('Hi').model).step_sync([ModelRequest.user_text_prompt('x')]).result.data == 'Hi'


def test_a_step_that_waits_and_one_that_only_makes_calls() -> None:
    shop = Shop([REFUND, LOOK], 'Done.')
    step = shop.agent.step_sync([], 'x')
    assert not step.done
    assert [one.id for one in step.pending] == ['r']
    assert answers_of(step.messages) == {'l': 'a shoe'}
    with pytest.raises(RunPaused):  # a loop that does not look at `pending` ends here
        shop.agent.step_sync(step.messages)
    step = shop.agent.step_sync(step.messages_json(), answers={'r': Approve()})
    assert not step.done
    assert len(shop.script.asked) == 1
    assert answers_of(step.messages) == {'l': 'a shoe', 'r': 'refunded 250.0'}
    assert shop.agent.step_sync(step.messages).result.data == 'Done.'
    assert [len(message.parts) for message in shop.script.asked[-1]] == [1, 2, 2]


def test_a_step_that_answers_a_part_of_what_waits() -> None:
    shop = Shop([call('refund', {'order': n}, f'c{n}') for n in range(2)])
    step = shop.agent.step_sync([], 'x')
    step = shop.agent.step_sync(step.messages, answers={'c0': Deny()})
    assert [one.id for one in step.pending] == ['c1']


@both
def test_structured_results_and_their_retries_count_over_steps(take: Any) -> None:
    wrong = ToolCallPart('final_result', {'response': 'x'}, 'f')
    agent = Agent(Script(*[wrong] * 3).model, result_type=int, result_retries=1)
    step = take(agent, [], 'x')
    assert isinstance(step.messages[-1].parts[0], RetryPromptPart)
    with pytest.raises(UnexpectedModelBehavior, match='2 attempts'):
        take(agent, step.messages)


def test_failures_of_a_tool_count_over_steps_and_only_in_a_row() -> None:
    agent: Agent[None, str] = Agent(Script(*[call('fail', {'n': n}) for n in (0, 1, 0, 0)]).model, retries=1)

    @agent.tool_plain
    def fail(n: int) -> str:
        if n == 0:
            raise ModelRetry('no')
        return 'yes'

    step = agent.step_sync([], 'x')
    for _ in range(2):
        step = agent.step_sync(step.messages)
    with pytest.raises(UnexpectedModelBehavior, match='failed 2 times'):
        agent.step_sync(step.messages)


def test_a_forced_tool_is_forced_in_the_first_step_alone() -> None:
    agent: Agent[None, str] = Agent(Script([LOOK], 'Done.').model, model_settings={'tool_choice': 'required'})
    choices: list[Any] = []

    @agent.tool_plain
    def look(order: int) -> str:
        return 'a shoe'

    def answer(messages: Any, info: Any) -> ModelResponse:
        choices.append((info.model_settings or {}).get('tool_choice'))
        return ModelResponse([LOOK] if len(choices) == 1 else [TextPart('Done.')])

    from syncai.models.function import FunctionModel

    step = agent.step_sync([], 'x', model=FunctionModel(answer))
    assert agent.step_sync(step.messages, model=FunctionModel(answer)).done
    assert choices == ['required', None]


def test_limits_hold_for_a_step_and_with_usage_over_all() -> None:
    limits = UsageLimits(request_limit=1, tool_calls_limit=1)
    shop = Shop([LOOK], [LOOK], 'Done.')
    step = shop.agent.step_sync([], 'x', usage_limits=limits)
    assert not shop.agent.step_sync(step.messages, usage_limits=limits).done
    with pytest.raises(UsageLimitExceeded, match='request_limit'):
        shop.agent.step_sync(step.messages, usage_limits=limits, usage=step.usage)
    with pytest.raises(UsageLimitExceeded, match='tool_calls_limit'):
        Shop([LOOK]).agent.step_sync(step.messages, usage_limits=UsageLimits(tool_calls_limit=1), usage=step.usage)


def test_a_step_has_a_deadline_and_its_error_the_messages_to_go_on_from() -> None:
    agent: Agent[None, str] = Agent(Script([call('wait'), LOOK], 'Done.').model)
    slow, looked = [True], []

    @agent.tool_plain
    async def wait() -> str:
        await asyncio.sleep(60 if slow.pop() else 0)
        return 'waited'

    @agent.tool_plain
    def look(order: int) -> str:
        looked.append(order)
        return 'a shoe'

    with pytest.raises(DeadlineExceeded) as caught:
        agent.step_sync([], 'x', timeout=0.2)
    assert caught.value.messages is not None
    slow.append(False)
    step = agent.step_sync(caught.value.messages)
    assert answers_of(step.messages) == {'id_wait': 'waited', 'l': 'a shoe'}
    assert looked == [7]
    assert agent.step_sync(step.messages).result.data == 'Done.'


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (('What is new?',), 'agent.step_sync'),
        (([],), 'needs a prompt'),
    ],
)
def test_mistakes(arguments: Any, words: str) -> None:
    with pytest.raises(UserError, match=words):
        Agent('test').step_sync(*arguments)
    with pytest.raises(UserError, match='first argument'):
        Agent('test').step_sync([], 'x', message_history=[ModelRequest.user_text_prompt('x')])
