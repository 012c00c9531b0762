"""The messages that `keep` sends are a valid request in each wire format; `format_rules` has the rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

from any_history import HISTORIES
from format_rules import FLAWS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sampling import examples
from six_formats import MODELS, system_texts

from syncai import Agent, ModelMessage, ModelResponse, UserError
from syncai.conversations import Fit, Last, MemoryStore
from syncai.exceptions import ContextWindowExceeded
from syncai.messages import ModelRequest, TextPart, ToolCallPart, ToolReturnPart, UserPromptPart
from syncai.models._http.own_ids import with_own_ids
from syncai.models.function import AgentInfo, FunctionModel
from syncai.parameters import ModelRequestParameters
from syncai.usage import Usage

NOWHERE: Any = SimpleNamespace(base_url='http://127.0.0.1:1')
BUILDERS: dict[str, Any] = {name: make(NOWHERE) for name, make in MODELS.items()}
SUMMARY = FunctionModel(lambda messages, info: 'the gist')
KEEPS = st.one_of(
    st.builds(Last, st.integers(1, 12)),
    st.builds(lambda window, summed: Fit(0.5, window=window, summary=summed), st.integers(10, 400), st.just(SUMMARY)),
    st.builds(lambda window: Fit(0.9, window=window), st.integers(10, 400)),
)


def bodies(messages: Sequence[ModelMessage]) -> Iterator[tuple[str, Any]]:
    """The request of each format, from the builder that the model of that format has."""
    for name, model in BUILDERS.items():
        yield name, model._body(with_own_ids(messages), {}, ModelRequestParameters(), stream=False)


class Sent:
    """A model that keeps what it was sent: `refused` requests are too long for it; it calls a tool `steps` times."""

    def __init__(self, refused: int, steps: int) -> None:
        self.requests: list[list[ModelMessage]] = []
        self._refused = refused
        self._steps = steps

    def __call__(self, messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        self.requests.append(messages)
        if len(self.requests) <= self._refused:
            raise ContextWindowExceeded(400, 'm')
        if self._steps == 0:
            return ModelResponse([TextPart('fine')])
        self._steps -= 1
        return ModelResponse([ToolCallPart('look', {'n': 1}, f's{self._steps}')], usage=Usage(1, 150, 5, None))


def talk_of(kinds: Sequence[str]) -> list[ModelMessage]:
    """A conversation as an agent has it: prompts, answers, and steps with tools."""
    messages: list[ModelMessage] = []
    for number, kind in enumerate(kinds):
        messages.append(ModelRequest([UserPromptPart(f'prompt {number} ' * (1 + number % 5))]))
        for step in range({'said': 0, 'tools': 1, 'steps': 3}[kind]):
            calls = [ToolCallPart('look', {'n': n}, f'c{number}_{step}_{n}') for n in range(2)]
            messages.append(ModelResponse(calls, usage=Usage(1, 30 * number + 5, 5, None)))
            messages.append(ModelRequest([ToolReturnPart('look', 'x' * 40, call.tool_call_id) for call in calls]))
        messages.append(ModelResponse([TextPart('answer ' * 5)], usage=Usage(1, 30 * number + 20, 5, None)))
    return messages


TALKS = st.lists(st.sampled_from(['said', 'tools', 'steps']), max_size=8).map(talk_of)
quietly = settings(max_examples=examples(150), deadline=None, suppress_health_check=[HealthCheck.too_slow])


def look(n: int = 0) -> str:
    return 'seen'


def check(
    log: list[ModelMessage], keep: Any, *, refused: int, on_open: Any, tools: bool, steps: int = 0
) -> list[list[ModelMessage]]:
    """Ask once more, and look at what was sent; returns it."""
    store, sent = MemoryStore(), Sent(refused, steps)
    store.append('a', 0, log)
    agent = Agent(FunctionModel(sent), instructions='Stay.', tools=[look] if tools else [])
    chat = agent.conversation('a', store=store, keep=keep, on_open=on_open)
    before = store.load('a')[0]
    # There is nothing to spare, or it was refused twice.
    expected: list[type[Exception]] = [ContextWindowExceeded] if refused else []
    if chat.pending():
        expected = [UserError]
    with suppress(*expected):
        chat.run_sync('the last question')
    for messages in sent.requests:
        for name, body in bodies(messages):
            assert list(FLAWS[name](body)) == []
            assert 'the last question' in str(body)
            assert 'Stay.' in '\n'.join(system_texts(body))
    assert store.load('a')[0][: len(before)] == before
    assert len(sent.requests) <= 2 + steps
    return sent.requests


@quietly
@given(log=TALKS, keep=KEEPS, refused=st.integers(0, 2), steps=st.integers(0, 3))
def test_every_cut_of_a_conversation(log: list[ModelMessage], keep: Any, refused: int, steps: int) -> None:
    requests = check(log, keep, refused=refused, on_open='run', tools=True, steps=steps)
    if refused:
        assert all(len(second) < len(first) for first, second in pairwise(requests[:2]))


@quietly
@given(
    log=HISTORIES,
    keep=KEEPS,
    refused=st.integers(0, 2),
    on_open=st.sampled_from(['run', 'drop']),
    tools=st.booleans(),
)
def test_every_cut_of_any_log(log: list[ModelMessage], keep: Any, refused: int, on_open: Any, tools: bool) -> None:
    check(log, keep, refused=refused, on_open=on_open, tools=tools)
