"""A Jupyter kernel, driven as a notebook drives it: its cells run inside a running event loop."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from serving import LONG, SEARCH, asked_model, only_in_make_places

from syncai.testing import ModelServer

__all__ = ['asked_model']
only_in_make_places()

from jupyter_client.manager import start_new_kernel  # noqa: E402

pytestmark = pytest.mark.leaky('the client of a kernel keeps the sockets of ZeroMQ')
PRELUDE = """
import asyncio
from syncai import Agent
from syncai.models.openai import OpenAIChatModel
agent = Agent(OpenAIChatModel('m', base_url={url!r}, api_key='key'))
"""
Cell = Callable[..., str]


class Notebook:
    """A kernel in a separate process."""

    def __init__(self, folder: Path) -> None:
        environment = {'PYTHONPATH': SEARCH, 'IPYTHONDIR': str(folder), 'PATH': '/usr/bin', 'HOME': str(folder)}
        self.kernel, self.client = start_new_kernel(kernel_name='python3', env=environment)

    def run(self, code: str, *, interrupt_at: str = '') -> str:
        """The output of a cell, and the error that ended it."""
        said: list[str] = []

        def hear(message: dict[str, Any]) -> None:
            content = message['content']
            if message['msg_type'] == 'stream':
                said.append(content['text'])
                if interrupt_at and interrupt_at in content['text']:
                    self.kernel.interrupt_kernel()
            elif message['msg_type'] == 'error':
                said.append(f'{content["ename"]}: {content["evalue"]}\n')

        self.client.execute_interactive(textwrap.dedent(code), timeout=30, output_hook=hear)
        return ''.join(said)

    def close(self) -> None:
        self.client.stop_channels()
        self.kernel.shutdown_kernel(now=True)
        self.kernel.cleanup_resources()


@pytest.fixture
def notebook(asked_model: ModelServer, tmp_path: Path) -> Iterator[Notebook]:
    made = Notebook(tmp_path)
    try:
        made.run(PRELUDE.format(url=asked_model.base_url))
        yield made
    finally:
        made.close()


def test_cells(notebook: Notebook) -> None:
    """Synchronous and asynchronous, with the loop of the kernel running."""
    assert notebook.run('asyncio.get_running_loop(); print(agent.run_sync("short").data)') == 'answer\n'
    stream = """
        with agent.run_stream_sync('long') as answer:
            print(sum(1 for _ in answer.stream_text(delta=True, debounce_by=None)))
        """
    assert notebook.run(stream) == f'{LONG}\n'
    assert notebook.run('print((await agent.run("short")).data)') == 'answer\n'
    later = """
        async with agent.run_stream('long') as answer:
            print(len([text async for text in answer.stream_text(delta=True, debounce_by=None)]))
        """
    assert notebook.run(later) == f'{LONG}\n'
    both = """
        both = await asyncio.gather(agent.run('slow'), agent.run('slow'))
        print([result.data for result in both], agent.run_sync('short').data)
        """
    assert notebook.run(both) == "['answer', 'answer'] answer\n"


def test_a_stream_is_shown_as_it_arrives(notebook: Notebook) -> None:
    """One place in the output is updated; a result at the end of a cell shows itself."""
    seen: list[tuple[str, Any]] = []

    def note(message: dict[str, Any]) -> None:
        if message['msg_type'] in ('display_data', 'update_display_data', 'execute_result'):
            content = message['content']
            seen.append((message['msg_type'], content['data'].get('text/markdown')))

    cell = """
        from syncai.notebook import show
        with agent.run_stream_sync('long') as answer:
            show(answer)
        agent.run_sync('short')
        """
    notebook.client.execute_interactive(textwrap.dedent(cell), timeout=30, output_hook=note)
    kinds = [kind for kind, _ in seen]
    assert kinds[0] == 'display_data'
    assert kinds.count('update_display_data') >= 3
    assert seen[-2] == ('update_display_data', 'x' * LONG)
    assert seen[-1] == ('execute_result', 'answer')


def test_interrupting_a_cell(notebook: Notebook, asked_model: ModelServer) -> None:
    cell = """
        with agent.run_stream_sync('endless') as answer:
            for n, text in enumerate(answer.stream_text(delta=True, debounce_by=None)):
                if n == 3: print('begun', flush=True)
        """
    assert notebook.run(cell, interrupt_at='begun') == 'begun\nKeyboardInterrupt: \n'
    assert asked_model.wait_for_disconnect().finished_at is None
    assert notebook.run('print(agent.run_sync("short").data)') == 'answer\n'


def test_nest_asyncio_in_a_cell(notebook: Notebook) -> None:
    """Which notebooks are full of; it patches the class of every loop."""
    cell = """
        try: import nest_asyncio2 as nest
        except ImportError: import nest_asyncio as nest
        nest.apply()
        print(asyncio.run(agent.run('short')).data, agent.run_sync('short').data)
        """
    assert notebook.run(cell) == 'answer answer\n'


def test_ipython_in_a_terminal(asked_model: ModelServer, tmp_path: Path) -> None:
    code = PRELUDE.format(url=asked_model.base_url) + 'print(agent.run_sync("short").data)\n'
    done = subprocess.run(
        [sys.executable, '-m', 'IPython', '--no-banner', '--quick', '-c', code],
        env={'PYTHONPATH': SEARCH, 'IPYTHONDIR': str(tmp_path), 'PATH': '', 'HOME': str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=40,
    )
    assert done.stdout == 'answer\n', done.stderr
