"""The messages of a conversation that are sent: every cut is a whole history, and the stored messages stay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncai import Agent, ModelMessage, ModelResponse, UserError
from syncai.conversations import Fit, Last, MemoryStore
from syncai.exceptions import ContextWindowExceeded
from syncai.messages import ModelRequest, SystemPromptPart, TextPart, ToolCallPart, ToolReturnPart, UserPromptPart
from syncai.models.function import AgentInfo, FunctionModel
from syncai.models.openai import OpenAIChatModel
from syncai.testing import ModelServer, Reply
from syncai.usage import Usage


class Seen:
    """A model that notes what it was sent."""

    def __init__(self, most: int | None = None) -> None:
        self.requests: list[list[ModelMessage]] = []
        self.most = most

    def __call__(self, messages: list[ModelMessage], info: AgentInfo) -> str:
        self.requests.append(messages)
        if self.most is not None and len(messages) > self.most:
            raise ContextWindowExceeded(400, 'm')
        return f'answer {len(self.requests)}'

    @property
    def prompts(self) -> list[str]:
        last = self.requests[-1]
        return [str(p.content) for m in last for p in m.parts if isinstance(p, UserPromptPart)]


def test_last_sends_the_last_and_stores_all() -> None:
    seen = Seen()
    chat = Agent(FunctionModel(seen), system_prompt='Be kind.').conversation(keep=Last(3))
    for number in range(5):
        chat.run_sync(f'prompt {number}')
    assert seen.prompts == ['prompt 3', 'prompt 4']
    assert isinstance(seen.requests[-1][0].parts[0], SystemPromptPart)
    assert len(chat.messages()) == 10


def test_fit_cuts_by_the_window_and_then_stays() -> None:
    seen = Seen()
    chat = Agent(FunctionModel(seen)).conversation(keep=Fit(0.5, window=2000))
    sent = []
    for number in range(12):
        chat.run_sync(f'{number} ' + 'word ' * 200)
        sent.append(seen.prompts[0].split()[0])
    assert sent[0] == '0'
    assert sent[-1] != '0'
    assert len(set(sent)) < len(sent)  # the beginning stays for some requests


def test_a_refused_conversation_is_cut_once_more_and_sent_once_more() -> None:
    seen = Seen(most=4)
    chat = Agent(FunctionModel(seen)).conversation(keep=Fit(0.7))
    for number in range(4):
        chat.run_sync(f'prompt {number} ' + 'word ' * 50)
    assert len(seen.requests) == 5
    assert len(chat.messages()) == 8
    alone = Agent(FunctionModel(Seen(most=0))).conversation(keep=Last(10))
    with pytest.raises(ContextWindowExceeded):
        alone.run_sync('too long')
    without = Agent(FunctionModel(Seen(most=0))).conversation()
    with pytest.raises(ContextWindowExceeded):
        without.run_sync('too long')


def test_a_summary_is_made_once_for_a_prefix() -> None:
    seen, store, made = Seen(), MemoryStore(), []

    def sum_up(messages: list[ModelMessage], info: AgentInfo) -> str:
        made.append(messages)
        return f'gist {len(made)}'

    keep = Fit(0.5, summary=FunctionModel(sum_up), window=1500)
    agent = Agent(FunctionModel(seen))
    for number in range(8):
        agent.conversation('a', store=store, keep=keep).run_sync(f'{number} ' + 'word ' * 200)
    assert seen.prompts[0].startswith('Summary of the conversation so far:\n\ngist')
    marks = [m.stands_for for m in store.load('a')[0] if isinstance(m, ModelRequest) and m.stands_for]
    assert len(marks) == len(set(marks)) == len(made)
    assert len(made) < 8
    assert len(agent.conversation('a', store=store).messages()) == 16


def test_a_fork_has_the_summaries() -> None:
    made: list[int] = []

    def sum_up(messages: list[ModelMessage], info: AgentInfo) -> str:
        made.append(1)
        return 'gist'

    keep = Fit(0.5, summary=FunctionModel(sum_up), window=1500)
    seen = Seen()
    chat = Agent(FunctionModel(seen)).conversation('a', store=MemoryStore(), keep=keep)
    while not made:
        chat.run_sync('word ' * 200)
    chat.fork('b').run_sync('short')
    assert len(made) == 1
    assert seen.prompts[0].startswith('Summary of the conversation so far')


@pytest.mark.parametrize('face', ['run', 'stream', 'events'])
def test_a_stream_is_cut_once_more_as_well(face: str) -> None:
    with ModelServer() as server:
        too_long = {'error': {'message': 'maximum context length', 'code': 'context_length_exceeded'}}
        server.reply(Reply('One'), Reply('Two'), Reply(status=400, body=too_long), Reply('Three'))
        model = OpenAIChatModel('m', base_url=server.base_url, api_key='k')
        chat = Agent(model).conversation(keep=Last(10))
        for prompt in ('one', 'two'):
            chat.run_sync(prompt)
        if face == 'run':
            assert chat.run_sync('three').data == 'Three'
        elif face == 'stream':
            with chat.run_stream_sync('three') as stream:
                assert stream.get_data() == 'Three'
        else:
            with chat.run_stream_events_sync('three') as events:
                assert list(events)
        assert [len(request.json['messages']) for request in server.requests] == [1, 3, 5, 1]
        assert len(chat.messages()) == 6


PARTS = st.sampled_from(['prompt', 'tools', 'said'])


def history(kinds: Sequence[str]) -> list[ModelMessage]:
    """A whole history: prompts, answers, and steps with tools."""
    messages: list[ModelMessage] = []
    for number, kind in enumerate(kinds):
        messages.append(ModelRequest([UserPromptPart(f'prompt {number}' * (number + 1))]))
        if kind == 'tools':
            calls = [ToolCallPart('look', {'n': n}, f'c{number}_{n}') for n in range(2)]
            messages.append(ModelResponse(calls, usage=Usage(1, 40 * number, 5, None)))
            messages.append(ModelRequest([ToolReturnPart('look', 'x' * 50, call.tool_call_id) for call in calls]))
        messages.append(ModelResponse([TextPart('answer')], usage=Usage(1, 40 * number + 20, 5, None)))
    return [*messages, ModelRequest([UserPromptPart('last')])]


@given(st.lists(PARTS, max_size=12), st.integers(1, 30), st.integers(10, 2000), st.booleans())
def test_every_cut_falls_before_a_prompt(kinds: list[str], count: int, window: int, tighter: bool) -> None:
    messages = history(kinds)
    for keep in (Last(count), Fit(0.5, window=window)):
        used: Any = (keep.tighter(messages, None) or keep) if tighter else keep
        first = used.first(messages, None)
        assert 0 <= first < len(messages)
        assert first == 0 or any(isinstance(part, UserPromptPart) for part in messages[first].parts)
        calls = {p.tool_call_id for m in messages[first:] for p in m.parts if isinstance(p, ToolCallPart)}
        assert calls == {p.tool_call_id for m in messages[first:] for p in m.parts if isinstance(p, ToolReturnPart)}


@pytest.mark.parametrize('wrong', [0, -1, 1.5, True, 'x'])
def test_wrong_arguments_are_refused(wrong: Any) -> None:
    with pytest.raises(UserError, match=r'Last\(count\)'):
        Last(wrong)
    with pytest.raises(UserError, match=r'Fit\(share\)'):
        Fit(wrong)
    with pytest.raises(UserError, match='provider'):
        Fit(0.5, summary='nobody:model')
