"""Threads and processes that run an agent in one conversation at the same time; run as a program, it is one process.

    python tests/support/store_writers.py STORE THREADS RUNS

A run has its own prompt, a call of a tool and an answer. A conflict is tried again until the run is done; any other
error ends the program. After every run the log is loaded and must be a whole history.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from typing import Any

from stores_by_name import finished_with, store_of

from syncai import Agent, ConversationConflict, ModelMessage, ModelResponse
from syncai._engine.whole_history import whole_history
from syncai.conversations import Store
from syncai.conversations._log import view_of
from syncai.messages import TextPart, ToolCallPart, ToolReturnPart, UserPromptPart
from syncai.models.function import AgentInfo, FunctionModel

ID = 'shared'


def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """A call for each prompt, then a text."""
    if isinstance(messages[-1].parts[-1], UserPromptPart):
        return ModelResponse([ToolCallPart('work', {}, uuid.uuid4().hex)])
    return ModelResponse([TextPart('ok')])


def work() -> str:
    """Work."""
    return 'done'


def write(store: Store, threads: int, runs: int) -> dict[str, Any]:
    """The prompts that were answered, the conflicts, and the errors of other kinds."""
    prompts: list[str] = []
    conflicts: list[str] = []
    errors: list[str] = []

    def one() -> None:
        chat = Agent(FunctionModel(answer), tools=[work]).conversation(ID, store=store)
        try:
            for _ in range(runs):
                prompt = uuid.uuid4().hex
                while True:
                    try:
                        chat.run_sync(prompt)
                        break
                    except ConversationConflict:
                        conflicts.append(prompt)
                        time.sleep(random.uniform(0, 0.1))
                prompts.append(prompt)
                check_whole(chat.messages())
        except Exception as error:
            errors.append(f'{type(error).__name__}: {error}')
        finally:
            finished_with(store)

    workers = [threading.Thread(target=one) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return {'done': prompts, 'conflicts': conflicts, 'errors': errors}


def check_whole(messages: list[ModelMessage]) -> None:
    """Raise unless it is a whole history, but for calls at its end, with each call and each return once."""
    if whole_history(messages, name='log', repair=False, keep_open=True) is not messages:
        raise AssertionError('the log is not whole')
    for kind in (ToolCallPart, ToolReturnPart):
        ids = Counter(part.tool_call_id for m in messages for part in m.parts if isinstance(part, kind))
        if ids and max(ids.values()) > 1:
            raise AssertionError(f'a {kind.__name__} is there twice')


def check_processes(spec: str, *, processes: int, threads: int, runs: int, env: dict[str, str] | None = None) -> int:
    """Let processes write at the same time, and check their reports against the log; returns the number of
    conflicts.
    """
    command = [sys.executable, __file__, spec, str(threads), str(runs)]
    writers = [subprocess.Popen(command, stdout=subprocess.PIPE, env=env) for _ in range(processes)]
    outcomes = [json.loads(writer.communicate(timeout=100)[0] or '{}') for writer in writers]
    assert [outcome.get('errors') for outcome in outcomes] == [[]] * processes
    all_prompts = [prompt for outcome in outcomes for prompt in outcome['done']]
    conflicts = [prompt for outcome in outcomes for prompt in outcome['conflicts']]
    assert len(all_prompts) == processes * threads * runs
    prompts = Counter(json.loads(subprocess.check_output(command[:3], env=env))['prompts'])
    assert {*all_prompts} <= {*prompts}, 'a run that was done is lost'
    # One more for each conflict that came after the prompt and its calls were written.
    assert all(count <= 1 + conflicts.count(prompt) for prompt, count in prompts.items())
    return len(conflicts)


def main() -> None:
    store = store_of(sys.argv[1])
    if len(sys.argv) == 2:
        messages = view_of(store.load(ID)[0]).messages
        check_whole(messages)
        prompts = [str(p.content) for m in messages for p in m.parts if isinstance(p, UserPromptPart)]
        print(json.dumps({'prompts': prompts}))
    else:
        print(json.dumps(write(store, int(sys.argv[2]), int(sys.argv[3]))))
    finished_with(store)


if __name__ == '__main__':
    main()
