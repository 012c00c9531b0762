"""With the standard library patched by gevent: the loop has a real thread, and a waiting greenlet lets others run."""

from __future__ import annotations

import ssl
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from serving import LONG, PLACES, SEARCH, answer, asked_model, only_in_make_places

from syncai.testing import ModelServer

__all__ = ['asked_model']
only_in_make_places()


def run(server: ModelServer, code: str, *, app: str = 'from gevent_app import *\nimport gevent, time\n') -> str:
    done = subprocess.run(
        [sys.executable, '-c', app + textwrap.dedent(code)],
        env={'PYTHONPATH': SEARCH, 'MODEL_URL': server.base_url, 'PATH': ''},
        cwd=PLACES,
        capture_output=True,
        text=True,
        timeout=40,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert 'Traceback' not in done.stderr, done.stderr
    return done.stdout


def test_who_waits_lets_others_run(asked_model: ModelServer) -> None:
    """Also while the answer streams; and the calls of many greenlets run side by side."""
    out = run(
        asked_model,
        """
        ask()  # connects, imports
        ticks[0] = 0; began = time.monotonic()
        jobs = [gevent.spawn(ask, 'slow') for _ in range(50)]
        assert [job.get() for job in jobs] == ['answer'] * 50
        print(time.monotonic() - began < 10 * 0.3, ticks[0] > 10)
        ticks[0] = 0
        jobs = [gevent.spawn(stream, 'long') for _ in range(20)]
        print({job.get() for job in jobs}, ticks[0] > 20)
        """,
    )
    assert out == f'True True\n{{{LONG}}} True\n'


def test_the_loop_goes_on_while_a_greenlet_computes(asked_model: ModelServer) -> None:
    """It has a real thread, though `threading` knows none; and a greenlet that computes does not cut a stream."""
    out = run(
        asked_model,
        """
        import threading
        from syncai._bridge import run_sync
        beats = []
        async def beat():
            import asyncio
            for _ in range(10): beats.append(1); await asyncio.sleep(0.01)
        job = gevent.spawn(run_sync, beat); gevent.sleep(0.02); before = len(beats)
        end = time.monotonic() + 0.4
        while time.monotonic() < end: pass
        print(len(beats) > before, threading.active_count() == 1)
        job.get()
        """,
    )
    assert out == 'True True\n'


def test_a_greenlet_that_is_stopped_stops_its_stream(asked_model: ModelServer) -> None:
    out = run(
        asked_model,
        """
        ask()  # connects, imports
        try:
            with gevent.Timeout(0.5): stream('endless')
        except gevent.Timeout: print('timeout')
        job = gevent.spawn(stream, 'endless'); gevent.sleep(0.5); job.kill()
        print(job.successful(), isinstance(job.value, gevent.GreenletExit), ask())
        gevent.sleep(0.1)
        """,
    )
    assert out == 'timeout\nTrue True answer\n'
    for _ in range(2):
        assert asked_model.wait_for_disconnect().finished_at is None


def test_tools_run_in_the_greenlet_of_the_caller(asked_model: ModelServer) -> None:
    out = run(
        asked_model,
        """
        import asyncio, socket
        from syncai.models.function import FunctionModel
        from syncai.messages import ModelResponse, TextPart, ToolCallPart
        def model(messages, info):
            if len(messages) > 1: return ModelResponse([TextPart('done')])
            return ModelResponse([ToolCallPart(name, {}) for name in ('here', 'there', 'later')])
        where = {}
        def here(): where['here'] = gevent.getcurrent(); gevent.sleep(0.01); return 1
        async def later():
            host, port = os.environ['MODEL_URL'].split('/')[2].split(':')
            reader, writer = await asyncio.open_connection('localhost', int(port)); writer.close()
            return await asyncio.to_thread(time.sleep, 0.01)
        import os
        greens = Agent(FunctionModel(model), tools=[here, later])
        @greens.tool_plain(run_in='thread')
        def there(): where['there'] = gevent.getcurrent(); time.sleep(0.01); return 2
        me = gevent.getcurrent()
        print(greens.run_sync('x').data, where['here'] is me, where['there'] is me)
        """,
    )
    assert out == 'done True False\n'


def test_a_signal_handler_that_runs_in_the_hub(asked_model: ModelServer) -> None:
    """Where no greenlet can wait: the call blocks the thread instead."""
    out = run(
        asked_model,
        """
        import signal
        clock.kill(); ask(); got = []
        signal.signal(signal.SIGALRM, lambda *_: got.append((ask(), gevent.getcurrent() is gevent.get_hub())))
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        gevent.sleep(0.6); print(got)
        """,
    )
    assert out == "[('answer', True)]\n"


def test_two_greenlets_and_one_stream(asked_model: ModelServer) -> None:
    out = run(
        asked_model,
        """
        from syncai.exceptions import UserError
        from syncai import ModelRequest, model_request_stream_sync
        with model_request_stream_sync(agent.model, [ModelRequest.user_text_prompt('endless')]) as response:
            reader = gevent.spawn(lambda: sum(1 for _ in response)); gevent.sleep(0.2)
            try: next(iter(response))
            except UserError as error: print('one consumer at a time' in str(error))
            reader.kill(gevent.GreenletExit)
        """,
    )
    assert out == 'True\n'


@pytest.fixture
def safe_model(tmp_path: Path) -> Iterator[tuple[ModelServer, str]]:
    """A server with a certificate, and the constructor of a model that trusts it."""
    authority, bundle = trustme.CA(), tmp_path / 'ca.pem'
    authority.cert_pem.write_to_path(str(bundle))
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert('localhost').configure_cert(tls)
    url = "os.environ['MODEL_URL'].replace('127.0.0.1', 'localhost')"
    with ModelServer(answer, tls=tls) as server:
        yield server, f"OpenAIChatModel('m', base_url={url}, api_key='k', http=HttpOptions(verify={str(bundle)!r}))"


def test_tls_and_forks_and_threads(safe_model: tuple[ModelServer, str]) -> None:
    """Names are looked up, certificates checked; a real thread and a forked child call too."""
    server, model = safe_model
    out = run(
        server,
        f"""
        import os
        from syncai.settings import HttpOptions
        safe = {model}
        def call(): return agent.run_sync('short', model=safe).data
        print(call())
        pid = gevent.os.fork_and_watch()
        if pid == 0: os._exit(0 if call() == 'answer' else 1)
        print(os.waitpid(pid, 0)[1], call())
        print(gevent.get_hub().threadpool.apply(call))
        """,
    )
    assert out == 'answer\n0 answer\nanswer\n'


@pytest.mark.parametrize('moment', ['patched after the import', 'patched after a call, in a forked child'])
def test_late_patching(safe_model: tuple[ModelServer, str], moment: str) -> None:
    """As gunicorn does with an application that was preloaded."""
    child = 'child' in moment
    server, model = safe_model
    out = run(
        server,
        f"""
        import os, sys
        from syncai import Agent
        from syncai.models.openai import OpenAIChatModel
        from syncai.settings import HttpOptions
        agent = Agent({model})
        if {child}:
            agent.run_sync('short')
            pid = os.fork()
            if pid: sys.exit(os.waitpid(pid, 0)[1])
        from gevent import monkey; monkey.patch_all()
        import gevent
        jobs = [gevent.spawn(agent.run_sync, 'slow') for _ in range(5)]
        print([job.get(timeout=5).data for job in jobs], flush=True)
        """,
        app='',
    )
    assert out == f'{["answer"] * 5}\n'


def test_nothing_is_left_behind(asked_model: ModelServer) -> None:
    out = run(
        asked_model,
        """
        def left(seconds):
            with gevent.Timeout(seconds, False): stream('endless')
        ask(); left(0.1); gevent.sleep(0.1); before = descriptors()
        for _ in range(20): gevent.joinall([gevent.spawn(left, 0.02 + n / 1000) for n in range(10)])
        gevent.sleep(0.2)
        from syncai._bridge import run_sync
        async def tasks():
            import asyncio; return len(asyncio.all_tasks())
        print(descriptors() - before <= 1, run_sync(tasks))
        """,
    )
    assert out == 'True 1\n'


def test_gevent_is_not_imported_where_it_is_not_used() -> None:
    code = 'import sys, syncai.direct, syncai._bridge; print([m for m in sys.modules if m.startswith("gevent")])'
    assert subprocess.run([sys.executable, '-c', code], capture_output=True, text=True).stdout == '[]\n'
