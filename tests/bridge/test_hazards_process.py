"""Hazards of a bridge that need a process of their own: forks under locks, exits, frozen processes, patched loops."""

from __future__ import annotations

import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
from bridge_program import run

import syncai
from syncai.testing import ModelServer, Reply


@pytest.mark.slow
def test_forks_while_another_thread_holds_the_lock() -> None:
    """A child that inherited it taken would hang in its first call."""
    out = run("""
        warnings.simplefilter('ignore', DeprecationWarning)
        stop = threading.Event()
        def hold():
            while not stop.is_set():
                with loop_thread._lock, loop_thread._gate: time.sleep(0.0003)
        holder = threading.Thread(target=hold); holder.start()
        bad = 0
        for _ in range(200):
            pid = os.fork()
            if pid == 0:
                signal.alarm(10)
                os._exit(0 if run_sync(one) == 1 else 1)
            bad += os.waitpid(pid, 0)[1] != 0
        stop.set(); holder.join()
        print(bad, run_sync(one))
    """)
    assert out == '0 1\n'


@pytest.mark.slow
def test_a_child_that_closes_what_it_inherited_does_not_touch_the_parents_stream() -> None:
    out = run("""
        warnings.simplefilter('ignore')
        import gc
        server = socket.create_server(('127.0.0.1', 0)); port = server.getsockname()[1]
        async def read(channel):
            reader, writer = await asyncio.open_connection('127.0.0.1', port)
            try:
                while data := await reader.read(100): await channel.emit([data])
            finally: writer.close()
        stream = open_sync(read); peer, _ = server.accept(); got = b''
        for _ in range(20):
            peer.sendall(b'x')
            pid = os.fork()
            if pid == 0:
                stream.close(); del stream; gc.collect()
                loop_thread.shutdown()
                os._exit(0 if run_sync(one) == 1 else 2)
            assert os.waitpid(pid, 0)[1] == 0
            got += b''.join(stream.next_batch())
        peer.close()
        while batch := stream.next_batch(): got += b''.join(batch)
        print(len(got))
    """)
    assert out == '20\n'


@pytest.mark.slow
@pytest.mark.timing
def test_an_exit_while_a_function_blocks_the_loop_does_not_wait_for_it() -> None:
    run(
        """
        import contextlib
        started = threading.Event()
        async def blocks():
            started.set(); time.sleep(60)
        def wait():
            with contextlib.suppress(Exception): run_sync(blocks)
        threading.Thread(target=wait, daemon=True).start()
        started.wait()
        sys.exit(3)
    """,
        expect=3,
        timeout=30,
    )


@pytest.mark.slow
@pytest.mark.parametrize('ended', [False, True], ids=['in the middle', 'finished'])
def test_exits_while_streams_are_logged(ended: bool) -> None:
    """A daemon thread that is cut off inside a buffered write would abort the process."""
    for _ in range(6):
        run(
            f"""
            import logging
            logging.basicConfig(level=logging.DEBUG, stream=sys.stdout)
            async def source(channel):
                while True:
                    logging.getLogger('any').debug('x' * 200)
                    await channel.emit([1]); await asyncio.sleep(0)
            stream = open_sync(source)
            def read():
                for _ in range(50): stream.next_batch()
            thread = threading.Thread(target=read, daemon=True); thread.start()
            if {ended}: thread.join()
            sys.exit(4)
        """,
            expect=4,
        )


@pytest.mark.slow
def test_names_are_looked_up_after_the_main_thread_has_ended() -> None:
    out = run("""
        server = socket.create_server(('localhost', 0), family=socket.AF_INET); port = server.getsockname()[1]
        async def connect():
            _, writer = await asyncio.open_connection('localhost', port, family=socket.AF_INET)
            writer.close(); await writer.wait_closed()
            return 'connected'
        def late():
            threading.main_thread().join(); time.sleep(0.2)
            print(run_sync(connect))
        run_sync(one)
        threading.Thread(target=late).start()
    """)
    assert out == 'connected\n'


@pytest.mark.slow
def test_a_signal_handler_may_close_the_stream_that_it_interrupted() -> None:
    out = run("""
        async def silent(channel):
            await channel.emit([1]); await asyncio.sleep(3600)
        stream = open_sync(silent); stream.next_batch()
        signal.signal(signal.SIGALRM, lambda *_: print('closed', stream.close() in (True, False)))
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        print(stream.next_batch(), run_sync(one))
    """)
    assert out == 'closed True\nNone 1\n'


@pytest.mark.slow
@pytest.mark.parametrize('kind', ['Exception', 'SystemExit'])
def test_a_time_limit_that_a_handler_raises_stops_the_work(kind: str) -> None:
    out = run(f"""
        class Limit({kind}): pass
        def handler(*_): raise Limit
        stopped = threading.Event()
        async def work():
            try: await asyncio.sleep(3600)
            finally: stopped.set()
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        try: run_sync(work)
        except Limit: print('limit', stopped.wait(5), run_sync(one))
    """)
    assert out == 'limit True 1\n'


@pytest.mark.slow
@pytest.mark.parametrize('moment', ['before', 'after'])
def test_nest_asyncio(moment: str) -> None:
    """It patches the classes of asyncio's loops, ours among them, and its tasks and futures."""
    pytest.importorskip('nest_asyncio2', reason='nest-asyncio2 is not installed: it comes with the group `places`')
    out = run(f"""
        warnings.simplefilter('ignore')
        import nest_asyncio2
        asyncio.set_event_loop(asyncio.new_event_loop())
        if {moment == 'after'}: run_sync(one)
        nest_asyncio2.apply()
        async def limited():
            async with asyncio.timeout(5): await asyncio.sleep(0.01)
            return 2
        async def source(channel):
            for i in range(100): await channel.emit([i]); await asyncio.sleep(0)
        stream = open_sync(source); got = []
        while batch := stream.next_batch(): got += batch
        async def outer(): return run_sync(limited)
        print(run_sync(one), run_sync(limited), len(got), asyncio.run(outer()))
    """)
    assert out == '1 2 100 2\n'


# --- frozen, as by a provider of functions: what is in the pool is gone when the process wakes ------------------------

FROZEN = """
import sys
from syncai import ModelRequest, model_request_sync
from syncai.models.openai import OpenAIChatModel
model = OpenAIChatModel('m', base_url=sys.argv[1], api_key='k')
question = [ModelRequest.user_text_prompt('hi')]
print(model_request_sync(model, question).text, flush=True)
sys.stdin.readline()
print(model_request_sync(model, question).text, flush=True)
"""


def tunnel(server: ModelServer, listener: socket.socket) -> tuple[socket.socket, socket.socket]:
    """A connection of the client through us to the server: the client's end, and the server's."""
    client, _ = listener.accept()
    upstream = socket.create_connection(('127.0.0.1', server.port))
    request = client.recv(65536)
    while b'\r\n\r\n' not in request or not request.rstrip().endswith(b'}'):
        request += client.recv(65536)
    upstream.sendall(request)
    answer = upstream.recv(65536)
    while b'\r\n\r\n' not in answer or not answer.rstrip().endswith(b'}'):
        answer += upstream.recv(65536)
    client.sendall(answer)
    return client, upstream


@pytest.mark.slow
@pytest.mark.parametrize('how', ['FIN', 'RST'])
def test_a_pool_that_died_while_the_process_was_frozen(how: str) -> None:
    with ModelServer(Reply('answer')) as server, socket.create_server(('127.0.0.1', 0)) as listener:
        url = f'http://127.0.0.1:{listener.getsockname()[1]}/v1'
        child = subprocess.Popen(
            [sys.executable, '-c', FROZEN, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        first = tunnel(server, listener)
        assert child.stdout.readline() == 'answer\n'
        child.send_signal(signal.SIGSTOP)
        time.sleep(0.1)
        if how == 'RST':
            first[0].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        first[0].close()
        time.sleep(0.1)
        child.send_signal(signal.SIGCONT)
        assert child.stdin is not None
        child.stdin.write('\n')
        child.stdin.flush()
        second = tunnel(server, listener)
        out, _ = child.communicate(timeout=20)
        for end in (*first, *second):
            end.close()
    assert out == 'answer\n'
    assert len(server.requests) == 2, 'the request was sent once more, and not lost'


def test_no_exception_is_ever_thrown_into_another_thread() -> None:
    files = list(Path(syncai.__file__).parent.rglob('*.py'))
    assert len(files) > 100
    assert not [path for path in files if 'SetAsyncExc' in path.read_text()]
