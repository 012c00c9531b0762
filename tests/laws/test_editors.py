"""The completions of editors, and the output of `help()`: jedi reads the source, as in IPython, Spyder and Vim."""

from __future__ import annotations

import inspect
import pydoc
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import syncai
from syncai import Agent
from syncai.settings import RunOptions

pytestmark = pytest.mark.xdist_group('checkers')  # they share a cache that one process may write

jedi: Any = pytest.importorskip('jedi', reason='completion is checked where jedi is installed')
parser_cache: Any = pytest.importorskip('parso.cache').parser_cache  # of jedi's parser

ROOT = Path(__file__).resolve().parents[2]
AGENT = "from syncai import Agent\nagent = Agent('openai:gpt-5.4-mini')\n"
CITY = f'{AGENT}from syncai import ask\nclass City:\n    country: str\n'
ENTRY_POINTS = (
    *('run', 'run_sync', 'run_stream', 'run_stream_sync', 'run_stream_events', 'run_stream_events_sync'),
    *('submit', 'map', 'map_sync'),
)


@pytest.fixture(autouse=True, scope='module')
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The cache of the user's home may be written, or half written, by another process."""
    patch = pytest.MonkeyPatch()
    patch.setattr(jedi.settings, 'cache_directory', str(tmp_path_factory.mktemp('jedi')))
    yield
    patch.undo()
    parser_cache.clear()  # hundreds of thousands of objects, at which each garbage collection would look
    jedi.cache.clear_time_caches(delete_all=True)


def completions(code: str) -> set[str]:
    """The names that jedi offers at the end of the code."""
    project = jedi.Project(ROOT, added_sys_path=[str(ROOT)])
    lines = code.split('\n')
    script = jedi.Script(code, path=ROOT / 'edited.py', project=project)
    return {one.name for one in script.complete(len(lines), len(lines[-1]))}


@pytest.mark.whole('make types')
@pytest.mark.slow
@pytest.mark.leaky('jedi keeps a process that looks at the interpreter')
@pytest.mark.parametrize(
    ('code', 'names'),
    [
        ('from syncai import ', {'Agent', 'ask', 'ModelRetry', 'RateLimitError', 'RunContext', 'messages_from_openai'}),
        ('import syncai\nsyncai.', {'Agent', 'ask', 'UserError'}),
        (f'{AGENT}agent.', {'run_sync', 'run_stream_sync', 'map_sync', 'tool', 'tool_plain', 'override'}),
        ('from syncai import Agent\nAgent(', {'result_type=', 'system_prompt=', 'tools='}),
        (f"{AGENT}result = agent.run_sync('x')\nresult.", {'data', 'usage', 'all_messages'}),
        (f"{AGENT}agent.run_sync('x').response.", {'text', 'parts', 'usage'}),
        (
            f"{AGENT}with agent.run_stream_sync('x') as stream:\n    stream.",
            {'stream_text', 'stream', 'get_data', 'usage'},
        ),
        (f"{AGENT}with agent.run_stream_events_sync('x') as events:\n    events.", {'result', 'usage'}),
        (
            f"{AGENT}async def main():\n    async with agent.run_stream('x') as stream:\n        stream.",
            {'stream_text', 'get_data'},
        ),
        (
            'from syncai import model_request_stream_sync\n'
            "with model_request_stream_sync('x', []) as stream:\n    stream.",
            {'get', 'usage', 'close'},
        ),
        (f"{AGENT}for row in agent.map_sync(['x']):\n    row.", {'data', 'error', 'prompt'}),
        (f"{CITY}agent.run_sync('x', result_type=City).data.", {'country'}),
        (f"{CITY}agent.run_sync('x', result_type=list[City]).data.", {'append'}),
        (f"{CITY}agent.submit('x', result_type=City).result().data.", {'country'}),
        (f"{CITY}for row in agent.map_sync(['x'], result_type=City):\n    row.data.", {'country'}),
        (f"{CITY}with agent.run_stream_sync('x', result_type=City) as stream:\n    stream.get_data().", {'country'}),
        (f"{CITY}ask('x', City).", {'country'}),
        (f"{CITY}ask('x').", {'upper'}),
    ],
)
def test_completion(code: str, names: set[str]) -> None:
    assert names <= completions(code)


@pytest.mark.leaky('jedi keeps a process that looks at the interpreter')
def test_every_public_name_is_completed() -> None:
    assert set(syncai.__all__) <= completions('from syncai import ')


@pytest.mark.parametrize('name', ENTRY_POINTS)
def test_help_lists_every_option(name: str) -> None:
    function = getattr(Agent, name)
    text = pydoc.plain(pydoc.render_doc(function))
    for option in (*RunOptions.__annotations__, 'result_type'):
        listed = option in inspect.signature(function).parameters and f'{option}: ' in text.partition('Options:')[2]
        assert listed, f'describe {option} under Attributes in the docstring of RunOptions or AskOptions'


def test_help_of_the_agent_and_of_ask() -> None:
    of_agent = pydoc.plain(pydoc.render_doc(Agent))
    assert all(f'{name}: ' in of_agent for name in inspect.signature(Agent).parameters)
    of_ask = pydoc.plain(pydoc.render_doc(syncai.ask))
    assert all(f'{name}: ' in of_ask for name in (*RunOptions.__annotations__, 'result_type', 'prompt'))


def test_completion_costs_the_import_nothing() -> None:
    """The names are for readers of the source: at run time they are imported on first use."""
    code = 'import sys, syncai; print(sorted(m for m in sys.modules if m.startswith("syncai.") and "_base" not in m))'
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.strip() == '[]'
