"""Runs of one conversation that are cancelled, or go on at the same time."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from syncai import Agent, Approve, ConversationConflict, ModelMessage, ModelResponse, RunPaused
from syncai.conversations import MemoryStore, SQLiteStore
from syncai.messages import ModelRequest, ToolCallPart, ToolReturnPart, UserPromptPart
from syncai.models.function import AgentInfo, FunctionModel
from syncai.models.openai import OpenAIChatModel
from syncai.models.test import TestModel
from syncai.testing import ModelServer, Reply


def until(happened: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.002)


@pytest.fixture
def slow_server() -> Any:
    with ModelServer(lambda request: Reply('late', delay_headers=20)) as server:
        yield server


def test_a_submitted_run_that_is_cancelled_lets_the_next_one_begin(slow_server: ModelServer) -> None:
    chat = Agent(OpenAIChatModel('m', base_url=slow_server.base_url)).conversation('a')
    future = chat.submit('Never answered')
    slow_server.wait_for_requests(1)
    assert future.cancel()
    assert chat.run_sync('And now?', model=TestModel(custom_result_text='ok')).data == 'ok'
    assert [message.kind for message in chat.messages()] == ['request', 'response']
    slow_server.wait_for_disconnect(timeout=10)
    future = chat.submit('Never answered')
    slow_server.wait_for_requests(2)
    assert future.cancel()
    chat.rewind(to=0)
    assert chat.messages() == []


def test_what_a_cancelled_run_had_is_kept(tmp_path: Path) -> None:
    """With `save='end'`, all of it is written when the run is stopped, and not before."""
    chat = Agent(TestModel(), tools=[quick]).conversation('a', store=SQLiteStore(tmp_path / 'chats.db'), save='end')
    replies: list[Any] = [ToolCallPart('quick', {}, 'c1')]

    def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        if replies:
            return ModelResponse([replies.pop()])
        asked_again.set()
        time.sleep(0.2)
        return ModelResponse([])

    asked_again = threading.Event()
    future = chat.submit('Look', model=FunctionModel(answer))
    assert asked_again.wait(20)
    assert chat.messages() == []
    future.cancel()
    until(chat.messages)
    returns = [part.content for m in chat.messages() for part in m.parts if isinstance(part, ToolReturnPart)]
    assert returns == ['seen']
    chat.store.close()  # type: ignore[attr-defined]


def quick() -> str:
    """Look."""
    return 'seen'


def test_a_run_that_is_cancelled_while_it_loads_is_over() -> None:
    """Sync stores of a coroutine run in a worker thread, which goes on when the coroutine is cancelled."""
    loading, go_on = threading.Event(), threading.Event()

    class Slow(MemoryStore):
        def load(self, id: str) -> Any:  # noqa: A002
            loading.set()
            go_on.wait(20)
            return super().load(id)

    chat = Agent(TestModel(custom_result_text='ok')).conversation('a', store=Slow())

    async def cancelled() -> None:
        task = asyncio.create_task(chat.run('One'))
        await asyncio.to_thread(loading.wait, 20)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        go_on.set()

    asyncio.run(cancelled())
    until(lambda: chat._run_now is None)
    assert chat.run_sync('Two').data == 'ok'


def paying(calls: list[str], begun: threading.Barrier | None = None) -> Agent[None, str]:
    agent: Agent[None, str] = Agent(TestModel(custom_result_text='ok'))

    @agent.tool_plain(approve=True)
    def refund() -> str:
        calls.append('refund')
        return 'done'

    return agent


class Meeting(SQLiteStore):
    """Two that load at the same time, before either goes on."""

    meet: threading.Barrier | None = None

    def load(self, id: str) -> Any:  # noqa: A002
        loaded = super().load(id)
        if self.meet is not None:
            self.meet.wait(20)
        return loaded


def test_of_two_that_resume_with_the_same_decision_one_makes_the_call(tmp_path: Path) -> None:
    calls: list[str] = []
    store = Meeting(tmp_path / 'chats.db')
    with pytest.raises(RunPaused) as paused:
        paying(calls).conversation('a', store=store).run_sync('Refund')
    answers = {paused.value.pending[0].id: Approve()}
    outcomes: list[Any] = []
    store.meet = threading.Barrier(2)

    def resume() -> None:
        try:
            outcomes.append(paying(calls).conversation('a', store=store).resume_sync(answers).data)
        except ConversationConflict as error:
            outcomes.append(error)

    threads = [threading.Thread(target=resume) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store.meet = None
    assert calls == ['refund']
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ['ConversationConflict', 'str']
    chat = paying(calls).conversation('a', store=store)
    assert [part.part_kind for m in chat.messages() for part in m.parts][-3:] == ['tool-call', 'tool-return', 'text']
    store.close()


def test_of_two_that_find_the_same_open_call_one_makes_it(tmp_path: Path) -> None:
    calls: list[str] = []
    store = Meeting(tmp_path / 'chats.db')
    store.append('a', 0, [ModelRequest([UserPromptPart('Go')]), ModelResponse([ToolCallPart('work', {}, 'c1')])])

    def work() -> str:
        calls.append('work')
        return 'done'

    agent: Agent[None, str] = Agent(TestModel(call_tools=[], custom_result_text='ok'), tools=[work])
    conflicts: list[ConversationConflict] = []
    store.meet = threading.Barrier(2)

    def go_on() -> None:
        try:
            agent.conversation('a', store=store).run_sync()
        except ConversationConflict as error:
            conflicts.append(error)

    threads = [threading.Thread(target=go_on) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store.meet = None
    assert (calls, len(conflicts)) == (['work'], 1)
    store.close()


def test_a_claim_is_no_message() -> None:
    """A process that dies right after it leaves all as it was."""
    calls: list[str] = []

    class Dies(MemoryStore):
        def append(self, id: str, version: int, messages: Any) -> int:  # noqa: A002
            new = super().append(id, version, messages)
            if messages[0].kind == 'request' and messages[0].stands_for is not None:
                raise SystemExit
            return new

    store = MemoryStore()
    with pytest.raises(RunPaused) as paused:
        paying(calls).conversation('a', store=store).run_sync('Refund')
    dying = Dies()
    dying.append('a', 0, store.load('a')[0])
    chat = paying(calls).conversation('a', store=dying)
    before = chat.messages()
    with pytest.raises(SystemExit):
        chat.resume_sync({paused.value.pending[0].id: Approve()})
    assert (chat.messages(), chat.pending()) == (before, paused.value.pending)
    store.append('b', 0, dying.load('a')[0])
    later = paying(calls).conversation('b', store=store)
    assert later.resume_sync({later.pending()[0].id: Approve()}).data == 'ok'
    assert calls == ['refund']
