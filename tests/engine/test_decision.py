"""The decision about an answer in a run, made without a model, a loop, or a call of a function."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from syncai import Agent
from syncai._engine.decision import AskAgain, Final, TakeCalls, TakeText, decide, settle
from syncai._engine.run_state import RunState
from syncai._engine.tool_outcome import Rejected
from syncai.exceptions import ContentFilterError, UnexpectedModelBehavior
from syncai.messages import ModelResponse, RetryPromptPart, TextPart, ThinkingPart, ToolCallPart, ToolReturnPart


class City(BaseModel):
    name: str


RESULT, OTHER_RESULT = ToolCallPart('final_result', {'name': 'a'}, 'r1'), ToolCallPart('final_result', {}, 'r2')
LOOK, UNKNOWN = ToolCallPart('look', {}, 'f'), ToolCallPart('dance', {}, 'u')


def run_of(result_type: Any = City, **options: Any) -> RunState[Any]:
    def look() -> str:
        raise AssertionError('nothing is called')

    agent = Agent('test', result_type=result_type, tools=[look], **options)
    run: RunState[Any] = RunState(agent._plan('hi', {}))
    run.offered = [tool.definition for tool in run.plan.tools.values()]
    return run


def settled(
    run: RunState[Any], calls: list[ToolCallPart], outcomes: dict[int, Final | Rejected], **response: Any
) -> Any:
    answer = ModelResponse(calls, **response)
    decision = decide(run, answer)
    assert isinstance(decision, TakeCalls)
    return settle(run, answer, decision, outcomes)


def test_calls_are_of_a_result_of_a_function_or_of_no_tool() -> None:
    decision = decide(run_of(), ModelResponse([LOOK, RESULT, UNKNOWN, OTHER_RESULT]))
    assert decision == TakeCalls({1: RESULT, 3: OTHER_RESULT}, {0: LOOK}, {2: UNKNOWN})


def test_text_is_the_result_where_it_may_be_and_else_an_attempt() -> None:
    assert decide(run_of(str), ModelResponse([TextPart('x')])) == TakeText('x', is_json=False)
    assert decide(run_of(result_mode='prompted'), ModelResponse([TextPart('{}')])) == TakeText('{}', is_json=True)
    refused = decide(run_of(), ModelResponse([TextPart('x')]))
    assert isinstance(refused, AskAgain)
    assert '(final_result, look)' in refused.content
    with pytest.raises(UnexpectedModelBehavior, match='max_tokens'):
        decide(run_of(), ModelResponse([TextPart('x')], finish_reason='length'))


@pytest.mark.parametrize(
    ('parts', 'reason'),
    [([], 'the answer was empty'), ([ThinkingPart('hm')], 'the answer held thoughts and no text')],
)
def test_an_answer_without_text_and_calls_is_an_attempt(parts: list[Any], reason: str) -> None:
    assert decide(run_of(), ModelResponse(parts)) == AskAgain('The answer was empty.', reason)
    with pytest.raises(ContentFilterError):
        decide(run_of(), ModelResponse(parts, finish_reason='content_filter'))


@pytest.mark.parametrize('end_strategy', ['early', 'exhaustive'])
def test_the_first_valid_result_wins(end_strategy: Any) -> None:
    final = Final(City(name='a'), RESULT)
    outcomes: dict[int, Final | Rejected] = {0: Rejected('no'), 2: final}
    calls = [OTHER_RESULT, LOOK, RESULT, OTHER_RESULT, UNKNOWN]
    end = settled(run_of(end_strategy=end_strategy), calls, outcomes)
    assert (end.final, end.rejected, end.unknown) == (final, None, None)
    assert [(n, r.part.content) for n, r in end.returned.items()] == [
        (0, 'Result tool not used: another result was accepted.'),
        (2, 'Final result processed.'),
        (3, 'Result tool not used: another result was accepted.'),
    ]
    assert end.functions == ({1: LOOK} if end_strategy == 'exhaustive' else {})
    assert list(end.refused) == ([4] if end_strategy == 'exhaustive' else [1, 4])
    assert isinstance(end.refused[4].part, RetryPromptPart)


def test_a_rejected_result_counts_once_and_functions_are_called() -> None:
    end = settled(run_of(), [RESULT, LOOK, OTHER_RESULT, UNKNOWN], {0: Rejected('no'), 2: Rejected('nor this')})
    assert (end.final, end.rejected, end.unknown, end.functions) == (None, 'no', None, {1: LOOK})
    assert [r.part.content for r in end.returned.values()] == ['no', 'nor this']
    assert all(isinstance(r.part, RetryPromptPart) for r in end.returned.values())
    with pytest.raises(UnexpectedModelBehavior, match='cut off'):
        settled(run_of(), [RESULT], {0: Rejected('no')}, finish_reason='length')


def test_a_call_of_no_tool_counts_after_the_functions() -> None:
    end = settled(run_of(), [UNKNOWN, LOOK], {})
    assert (end.rejected, end.unknown, end.functions) == (None, "there is no tool 'dance'", {1: LOOK})
    assert end.refused[0].part.content == "There is no tool 'dance'. The tools are: look, final_result."
    assert not any(isinstance(r.part, ToolReturnPart) for r in end.refused.values())
