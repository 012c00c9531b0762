"""Conversations: the messages that they keep and write, and the calls that they refuse."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from syncai import Agent, Approve, ConversationConflict, Deny, ModelMessage, ModelResponse, RunPaused, UserError
from syncai.conversations import Conversation, MemoryStore, SQLiteStore, Store
from syncai.exceptions import ModelHTTPError
from syncai.messages import ModelRequest, ToolCallPart, ToolReturnPart, UserPromptPart
from syncai.models.function import AgentInfo, FunctionModel
from syncai.models.openai import OpenAIChatModel
from syncai.models.test import TestModel
from syncai.testing import ModelServer, Reply


@pytest.fixture(params=['memory', 'sqlite'])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == 'memory':
        yield MemoryStore()
        return
    store = SQLiteStore(tmp_path / 'chats.db')
    yield store
    store.close()


def counting(messages: list[ModelMessage], info: AgentInfo) -> str:
    """How many prompts the model sees, and the last of them."""
    prompts = [part.content for m in messages for part in m.parts if isinstance(part, UserPromptPart)]
    return f'{len(prompts)}: {prompts[-1]}'


def agent_of(model: Any = None, **options: Any) -> Agent[None, Any]:
    return Agent(model or FunctionModel(counting), **options)


def test_it_remembers(store: Store) -> None:
    chat = agent_of().conversation('user-42', store=store)
    assert chat.run_sync('One').data == '1: One'
    again = agent_of().conversation('user-42', store=store)
    result = again.run_sync('Two')
    assert result.data == '2: Two'
    assert again.messages() == chat.messages() == result.all_messages()
    assert agent_of().conversation('other', store=store).messages() == []
    assert [*store.list(prefix='user-')] == ['user-42']


def test_every_way_to_run_it(store: Store) -> None:
    chat = agent_of().conversation('a', store=store)
    with chat.run_stream_sync('One') as stream:
        assert ''.join(stream.stream_text(delta=True)) == '1: One'
    with chat.run_stream_events_sync('Two') as events:
        assert [event.event_kind for event in events]
        assert events.result.data == '2: Two'

    async def others() -> None:
        assert (await chat.run('Three')).data == '3: Three'
        async with chat.run_stream('Four') as stream:
            assert await stream.get_data() == '4: Four'
        async with chat.run_stream_events('Five') as events:
            assert [event async for event in events]

    asyncio.run(others())
    assert chat.submit('Six').result(timeout=30).data == '6: Six'
    assert len(chat.messages()) == 12


def test_without_a_store_it_lives_in_memory() -> None:
    chat = agent_of().conversation()
    other = agent_of().conversation()
    chat.run_sync('One')
    assert (len(chat.messages()), other.messages()) == (2, [])
    assert chat.id != other.id


def test_the_store_is_used_in_the_callers_thread() -> None:
    threads = set()

    class Seen(MemoryStore):
        def load(self, id: str) -> Any:  # noqa: A002
            threads.add(threading.current_thread())
            return super().load(id)

        def append(self, id: str, version: int, messages: Any) -> int:  # noqa: A002
            threads.add(threading.current_thread())
            return super().append(id, version, messages)

    chat = agent_of(TestModel(), tools=[look]).conversation('a', store=Seen())
    chat.run_sync('One')
    with chat.run_stream_sync('Two') as stream:
        stream.get_data()
    with chat.run_stream_sync('Left'):
        pass
    assert threads == {threading.current_thread()}


def look(page: int) -> str:
    """Look."""
    return f'page {page}'


def test_each_step_is_written_when_it_is_done(store: Store) -> None:
    written: list[list[str]] = []

    def first() -> str:
        written.append(kinds(chat))
        return 'first'

    def second() -> str:
        written.append(kinds(chat))
        return 'second'

    chat = agent_of(TestModel(), tools=[first, second]).conversation('a', store=store)
    result = chat.run_sync('One')
    called = ['user-prompt', 'tool-call', 'tool-call']
    assert written == [called, [*called, 'tool-return']]
    assert chat.messages() == result.all_messages()


def test_at_the_end_it_is_written_once(store: Store) -> None:
    seen: list[int] = []

    def note() -> str:
        seen.append(len(chat.messages()))
        return 'noted'

    chat = agent_of(TestModel(), tools=[note]).conversation('a', store=store, save='end')
    result = chat.run_sync('One')
    assert seen == [0]
    assert chat.messages() == result.all_messages()


def kinds(chat: Conversation[Any, Any]) -> list[str]:
    return [part.part_kind for message in chat.messages() for part in message.parts]


def test_a_prompt_that_was_never_answered_was_not_said(store: Store) -> None:
    replies: list[Any] = [ModelHTTPError(500, 'm'), 'ok']

    def answer(messages: list[ModelMessage], info: AgentInfo) -> str:
        if isinstance(reply := replies.pop(0), Exception):
            raise reply
        return str(reply)

    chat = agent_of(FunctionModel(answer)).conversation('a', store=store)
    with pytest.raises(ModelHTTPError):
        chat.run_sync('One')
    assert chat.messages() == []
    chat.run_sync('One')
    assert kinds(chat) == ['user-prompt', 'text']


def test_a_stream_that_is_left_early_is_kept_and_gone_on_with(store: Store) -> None:
    with ModelServer() as server:
        server.reply(Reply(*['word '] * 50, delay_between_events=0.05), Reply('fine'))
        chat = agent_of(OpenAIChatModel('m', base_url=server.base_url)).conversation('a', store=store)
        with chat.run_stream_sync('Write') as stream:
            for _ in stream.stream_text(debounce_by=None):
                break
        last = chat.messages()[-1]
        assert isinstance(last, ModelResponse)
        assert last.incomplete
        assert last.text.startswith('word')
        assert chat.run_sync('And?').data == 'fine'
        sent = [message['role'] for message in json.loads(server.requests[-1].body)['messages']]
    assert sent == ['user', 'assistant', 'user']


def test_a_stream_that_was_never_read_says_nothing(store: Store) -> None:
    chat = agent_of().conversation('a', store=store)
    with chat.run_stream_sync('Write'):
        pass
    unread = chat.run_stream_sync('Never entered')
    assert kinds(chat) in ([], ['user-prompt', 'text'])
    chat.run_sync('Again')
    del unread


def test_a_tool_that_fails_keeps_what_others_returned(store: Store) -> None:
    calls: list[str] = []

    def good() -> str:
        calls.append('good')
        return 'done'

    def bad() -> str:
        calls.append('bad')
        if calls.count('bad') == 1:
            raise ZeroDivisionError
        return 'better'

    chat = agent_of(TestModel(), tools=[good, bad]).conversation('a', store=store)
    with pytest.raises(ZeroDivisionError):
        chat.run_sync('One')
    assert kinds(chat) == ['user-prompt', 'tool-call', 'tool-call', 'tool-return']
    chat.run_sync('Two')
    assert calls == ['good', 'bad', 'bad']
    assert kinds(chat)[3:6] == ['tool-return', 'tool-return', 'user-prompt']


OPEN: list[ModelMessage] = [
    ModelRequest([UserPromptPart('Look')]),
    ModelResponse([ToolCallPart('look', {'page': 1}, 'c1'), ToolCallPart('look', {'page': 2}, 'c2')]),
    ModelRequest([ToolReturnPart('look', 'page 1', 'c1')]),
]


def test_open_calls_are_made_when_it_goes_on(store: Store) -> None:
    store.append('a', 0, OPEN)
    pages: list[int] = []

    def look(page: int) -> str:
        pages.append(page)
        return f'page {page}'

    chat = agent_of(tools=[look]).conversation('a', store=store)
    assert chat.run_sync('And?').data == '2: And?'
    assert pages == [2]
    returns = [(p.tool_call_id, p.content) for m in chat.messages() for p in m.parts if isinstance(p, ToolReturnPart)]
    assert returns == [('c1', 'page 1'), ('c2', 'page 2')]
    assert [message.kind for message in chat.messages()] == ['request', 'response', 'request', 'response']


def test_open_calls_are_made_without_a_prompt_too(store: Store) -> None:
    store.append('a', 0, OPEN)
    chat = agent_of(tools=[look]).conversation('a', store=store)
    assert chat.run_sync().data == '1: Look'
    assert kinds(chat) == ['user-prompt', 'tool-call', 'tool-call', 'tool-return', 'tool-return', 'text']


@pytest.mark.parametrize('prompt', ['And?', None])
def test_open_calls_are_dropped_or_an_error_where_that_is_wanted(store: Store, prompt: str | None) -> None:
    store.append('a', 0, OPEN)
    strict = agent_of(tools=[look]).conversation('a', store=store, on_open='error')
    with pytest.raises(UserError, match=r"broke off before these calls had returned: look \(c2\). on_open='run'"):
        strict.run_sync(prompt)
    chat = agent_of(tools=[look]).conversation('a', store=store, on_open='drop')
    chat.run_sync(prompt)
    returns = [part.content for m in chat.messages() for part in m.parts if isinstance(part, ToolReturnPart)]
    assert returns == ['page 1', 'The call has no return: the conversation went on without it.']


def test_two_writers_are_told_apart(store: Store) -> None:
    def answer(messages: list[ModelMessage], info: AgentInfo) -> str:
        if len(messages) == 1 and not store.load('a')[1]:
            agent_of().conversation('a', store=store).run_sync('The other tab')
        return 'late'

    chat = agent_of(FunctionModel(answer)).conversation('a', store=store)
    with pytest.raises(ConversationConflict, match="Another writer has changed conversation 'a'") as caught:
        chat.run_sync('This tab')
    assert caught.value.messages is not None
    assert [message.kind for message in caught.value.messages] == ['request', 'response']
    assert [part.content for part in chat.messages()[0].parts if isinstance(part, UserPromptPart)] == ['The other tab']
    assert chat.run_sync('Again').data == 'late'


def test_one_run_at_a_time(store: Store) -> None:
    chat = agent_of().conversation('a', store=store)
    with chat.run_stream_sync('One'):
        with pytest.raises(UserError, match='A run of this conversation goes on'):
            chat.run_sync('Two')
        with pytest.raises(UserError, match='goes on'):
            chat.delete()
    chat.run_sync('Three')


def test_rewind(store: Store) -> None:
    chat = agent_of(TestModel(custom_result_text='ok'), tools=[look]).conversation('a', store=store)
    chat.run_sync('One')
    chat.run_sync('Two')
    assert len(chat.messages()) == 6
    with pytest.raises(UserError, match='Message 1 calls tools, and message 2 has what they returned: rewind to 1 or'):
        chat.rewind(to=2)
    for wrong in (-1, 7, True, 'x'):
        with pytest.raises(UserError, match='number of messages from 0 to 6'):
            chat.rewind(to=wrong)  # type: ignore[arg-type]
    chat.rewind(to=4)
    assert len(chat.messages()) == 4
    chat.rewind(to=1)
    assert kinds(chat) == ['user-prompt']
    chat.run_sync()  # asks the prompt that is left again
    assert kinds(chat)[0] == 'user-prompt'
    assert kinds(chat).count('user-prompt') == 1
    chat.rewind(to=0)
    assert chat.messages() == []


def test_fork_and_delete(store: Store) -> None:
    chat = agent_of().conversation('a', store=store)
    chat.run_sync('One')
    other = chat.fork('b')
    assert other.run_sync('Two').data == '2: Two'
    assert chat.run_sync('Other two').data == '2: Other two'
    with pytest.raises(UserError, match="There is a conversation 'b' already"):
        chat.fork('b')
    chat.delete()
    assert chat.messages() == []
    assert len(other.messages()) == 4
    assert chat.run_sync('Again').data == '1: Again'


def test_a_paused_run_is_kept_and_resumed(store: Store) -> None:
    made: list[int] = []

    def agent() -> Agent[None, str]:
        agent: Agent[None, str] = Agent(TestModel(custom_result_text='ok'), tools=[look])

        @agent.tool_plain(approve=True)
        def refund(order: int) -> str:
            made.append(order)
            return 'refunded'

        return agent

    chat = agent().conversation('a', store=store)
    with pytest.raises(RunPaused) as caught:
        chat.run_sync('Refund')
    assert chat.messages() == caught.value.messages
    later = agent().conversation('a', store=store)
    assert [call.tool_name for call in later.pending()] == ['refund']
    with pytest.raises(UserError, match='waits for a decision about refund'):
        later.run_sync('And?')
    with pytest.raises(UserError, match='answers are about calls that do not wait'):
        later.resume_sync({'nope': Approve()})
    result = later.resume_sync({later.pending()[0].id: Approve()})
    assert (made, result.data) == ([0], 'ok')
    assert later.pending() == ()
    assert kinds(later) == ['user-prompt', 'tool-call', 'tool-call', 'tool-return', 'tool-return', 'text']
    chat.rewind(to=0)
    with pytest.raises(RunPaused):
        chat.run_sync('Another')
    with chat.resume_stream_sync({chat.pending()[0].id: Deny('no')}) as stream:
        assert stream.get_data() == 'ok'
    assert made == [0]
