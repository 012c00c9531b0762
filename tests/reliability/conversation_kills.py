"""Kills a program within a conversation, again and again: `python tests/reliability/conversation_kills.py 300`.

After each kill the next process goes on. At the end the log must be a whole history, with nothing lost or doubled,
and no tool was called again whose return had been stored.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path
from tempfile import mkdtemp

from syncai._engine.whole_history import whole_history
from syncai.conversations import SQLiteStore
from syncai.conversations._log import view_of
from syncai.messages import ToolCallPart, ToolReturnPart

PROGRAM = """
import sys
from pathlib import Path
from syncai import Agent, ModelResponse
from syncai.conversations import SQLiteStore
from syncai.messages import ModelRequest, TextPart, ToolCallPart, ToolReturnPart, UserPromptPart
from syncai.models.function import FunctionModel
folder = Path(sys.argv[1])
def answer(messages, info):
    last = messages[-1].parts[-1]
    if isinstance(last, UserPromptPart):
        n = sum(isinstance(m, ModelResponse) for m in messages)
        return ModelResponse([ToolCallPart('work', {'n': i}, f'c{n}_{i}') for i in range(2)])
    return ModelResponse([TextPart('ok')])
def work(ctx, n: int) -> str:
    with (folder / 'calls').open('a') as calls:
        calls.write(f'{ctx.tool_call_id}\\n')
    return 'done'
from syncai import Tool
agent = Agent(FunctionModel(answer), tools=[Tool(work, takes_ctx=True)])
chat = agent.conversation('a', store=SQLiteStore(folder / 'chats.db'))
(folder / 'ready').touch()
while True:
    chat.run_sync('go')
"""


def rounds(count: int, folder: Path) -> tuple[int, int]:
    """The messages at the end, and the calls that were made again because of a kill before their return was stored."""
    store = SQLiteStore(folder / 'chats.db')
    returned: set[str] = set()
    again = 0
    for _ in range(count):
        (folder / 'ready').unlink(missing_ok=True)
        before = len(calls_in(folder))
        process = subprocess.Popen([sys.executable, '-c', PROGRAM, str(folder)])
        deadline = time.monotonic() + 30
        while not (folder / 'ready').exists() and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(random.uniform(0, 0.05))
        process.kill()
        process.wait()
        made = calls_in(folder)[before:]
        assert not returned & {*made}, 'a tool was called again whose return was stored'
        messages = view_of(store.load('a')[0]).messages
        returned = {p.tool_call_id for m in messages for p in m.parts if isinstance(p, ToolReturnPart)}
        again += len(calls_in(folder)) - len({*calls_in(folder)}) - again
    assert whole_history(messages, name='log', repair=False, keep_open=True) is messages
    ids = [part.tool_call_id for m in messages for part in m.parts if isinstance(part, ToolCallPart)]
    assert len(ids) == len({*ids}), 'a response was stored twice'
    store.close()
    return len(messages), again


def calls_in(folder: Path) -> list[str]:
    """The ids of the calls that were made."""
    path = folder / 'calls'
    return path.read_text().split() if path.exists() else []


if __name__ == '__main__':
    print(rounds(int(sys.argv[1]), Path(mkdtemp())))
