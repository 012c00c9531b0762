"""The bridge under signals, forks and the end of the interpreter, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest
from bridge_program import run


@pytest.mark.slow
def test_ctrl_c_stops_the_wait_and_the_work() -> None:
    out = run("""
        stopped = threading.Event()
        async def work():
            try: await asyncio.sleep(3600)
            finally: stopped.set()
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
        try: run_sync(work)
        except KeyboardInterrupt: print('interrupted', stopped.is_set(), run_sync(one))
    """)
    assert out == 'interrupted True 1\n'


@pytest.mark.slow
def test_a_second_ctrl_c_leaves_at_once() -> None:
    out = run("""
        async def stubborn():
            while True:
                try: await asyncio.sleep(3600)
                except asyncio.CancelledError: pass
        for delay in (0.2, 0.6): threading.Timer(delay, os.kill, (os.getpid(), signal.SIGINT)).start()
        began = time.monotonic()
        try: run_sync(stubborn)
        except KeyboardInterrupt: print('left', run_sync(one), flush=True)
        os._exit(0)
    """)
    assert out == 'left 1\n'


@pytest.mark.slow
def test_interrupts_at_random_moments_poison_nothing() -> None:
    out = run(
        """
        import random
        class Boom(BaseException): pass
        armed = False
        def handler(*_):
            if armed: raise Boom
        signal.signal(signal.SIGALRM, handler)
        async def source(channel):
            while True:
                await channel.emit([1]); await asyncio.sleep(0)
        hits = 0
        for trial in range(400):
            channel = open_sync(source)
            try:
                armed = True
                signal.setitimer(signal.ITIMER_REAL, random.uniform(0.0003, 0.004))
                while True: channel.next_batch()
            except Boom:
                armed = False; hits += 1
            finally:
                armed = False
            channel.close()
            assert run_sync(one) == 1
        async def left():
            await asyncio.sleep(0.05)
            return len(asyncio.all_tasks())
        print(hits, run_sync(left))
    """
    )
    assert out == '400 1\n'


@pytest.mark.slow
def test_a_signal_handler_may_make_calls() -> None:
    out = run("""
        got = []
        signal.signal(signal.SIGALRM, lambda *_: got.append(run_sync(one)))
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        async def slow():
            await asyncio.sleep(0.3); return 'outer'
        print(run_sync(slow), got)
    """)
    assert out == 'outer [1]\n'


@pytest.mark.slow
@pytest.mark.parametrize('hooks', [True, False], ids=['hooks', 'no hooks'])
def test_a_forked_child_gets_a_loop_of_its_own(hooks: bool) -> None:
    out = run(f"""
        warnings.simplefilter('ignore', DeprecationWarning)
        if not {hooks}:  # as a server that forks in C
            import ctypes
            fork = ctypes.PyDLL(None).fork
        else:
            fork = os.fork
        run_sync(one)
        # Nobody can save a child whose C fork caught a thread inside the interpreter's own lock: let the loop go idle.
        time.sleep(0.1)
        bad = 0
        for _ in range(30):
            pid = fork()
            if pid == 0:
                os._exit(0 if run_sync(one) == 1 else 1)
            bad += os.waitpid(pid, 0)[1] != 0
        print(bad, run_sync(one))
    """)
    assert out == '0 1\n'


@pytest.mark.slow
def test_a_stream_lives_on_across_forks_and_the_child_refuses_it() -> None:
    out = run("""
        warnings.simplefilter('ignore', DeprecationWarning)
        from syncai.exceptions import ForkedError
        server = socket.create_server(('127.0.0.1', 0)); port = server.getsockname()[1]
        async def read(channel):
            reader, writer = await asyncio.open_connection('127.0.0.1', port)
            while data := await reader.read(100): await channel.emit([data])
            writer.close()
        channel = open_sync(read); peer, _ = server.accept(); got = b''
        for _ in range(30):
            peer.sendall(b'x')
            pid = os.fork()
            if pid == 0:
                try: channel.next_batch()
                except ForkedError: os._exit(0 if run_sync(one) == 1 else 2)
                os._exit(1)
            assert os.waitpid(pid, 0)[1] == 0
            got += b''.join(channel.next_batch())
        peer.close()
        while batch := channel.next_batch(): got += b''.join(batch)
        channel.finish()
        print(len(got))
    """)
    assert out == '30\n'


@pytest.mark.slow
def test_a_long_lived_child_does_not_hide_the_parents_disconnect() -> None:
    out = run("""
        warnings.simplefilter('ignore', DeprecationWarning)
        server = socket.create_server(('127.0.0.1', 0)); port = server.getsockname()[1]
        async def hold(channel):
            reader, writer = await asyncio.open_connection('127.0.0.1', port)
            try: await reader.read(1)
            finally: writer.close()
        channel = open_sync(hold); peer, _ = server.accept()
        pid = os.fork()
        if pid == 0:
            peer.close(); server.close(); time.sleep(30); os._exit(0)
        channel.close(); peer.settimeout(5)
        print(peer.recv(1)); os.kill(pid, signal.SIGKILL); os.waitpid(pid, 0)
    """)
    assert out == "b''\n"


@pytest.mark.slow
def test_a_fork_leaves_alone_what_has_the_number_of_a_closed_connection() -> None:
    """As the pipes of a process pool, whose child would look dead."""
    out = run("""
        warnings.simplefilter('ignore', DeprecationWarning)
        server = socket.create_server(('127.0.0.1', 0)); kept = []
        async def closed(channel):
            reader, writer = await asyncio.open_connection(*server.getsockname())
            kept.extend([writer.transport, writer.get_extra_info('socket').fileno()])
            writer.close(); await writer.wait_closed()
        open_sync(closed).result()
        os.dup2(server.fileno(), kept[1])  # so that it is no end of the pipe yet
        reading, spare = os.pipe(); writing = os.dup2(spare, kept[1])
        pid = os.fork()
        if pid == 0: os.write(writing, b'whole'); os._exit(0)
        os.waitpid(pid, 0); os.set_blocking(reading, False)
        print(os.read(reading, 5)); server.close()
    """)
    assert out == "b'whole'\n"


@pytest.mark.slow
def test_fork_while_other_threads_call() -> None:
    out = run("""
        warnings.simplefilter('ignore', DeprecationWarning)
        stop = threading.Event(); errors = []
        def spin():
            while not stop.is_set():
                try: run_sync(one)
                except BaseException as error: errors.append(repr(error))
        threads = [threading.Thread(target=spin) for _ in range(4)]
        for t in threads: t.start()
        bad = 0
        for _ in range(40):
            pid = os.fork()
            if pid == 0: os._exit(0 if run_sync(one) == 1 else 1)
            bad += os.waitpid(pid, 0)[1] != 0
        stop.set()
        for t in threads: t.join()
        print(bad, errors)
    """)
    assert out == '0 []\n'


@pytest.mark.slow
def test_a_child_that_exits_normally_leaves_the_parent_alone() -> None:
    out = run("""
        warnings.simplefilter('ignore', DeprecationWarning)
        run_sync(one)
        pid = os.fork()
        if pid == 0: sys.exit(0)
        print(os.waitpid(pid, 0)[1], run_sync(one))
    """)
    assert out.splitlines()[-1] == '0 1'


@pytest.mark.slow
def test_exit_in_the_middle_of_a_stream_does_not_hang() -> None:
    run(
        """
        channel = open_sync(forever)
        threading.Thread(target=channel.next_batch, daemon=True).start()
        sys.exit(3)
    """,
        expect=3,
    )


@pytest.mark.slow
def test_calls_in_atexit_handlers_work_with_host_names() -> None:
    out = run("""
        server = socket.create_server(('localhost', 0), family=socket.AF_INET); port = server.getsockname()[1]
        async def connect():
            _, writer = await asyncio.open_connection('localhost', port, family=socket.AF_INET)
            writer.close(); await writer.wait_closed()
            return 'connected'
        atexit.register(lambda: print(run_sync(connect)))
        run_sync(one)
    """)
    assert out == 'connected\n'


@pytest.mark.slow
def test_first_use_in_an_atexit_handler_registered_early() -> None:
    program = textwrap.dedent("""
        import atexit
        def late():
            import asyncio
            from syncai._bridge import run_sync
            async def one(): return 1
            print(run_sync(one))
        atexit.register(late)
    """)
    done = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True, timeout=30)
    assert (done.stdout, done.returncode) == ('1\n', 0), done.stderr


@pytest.mark.slow
def test_a_thread_that_outlives_the_main_thread_goes_on_calling() -> None:
    out = run("""
        def late():
            time.sleep(0.2)
            print(run_sync(one))
        threading.Thread(target=late).start()
    """)
    assert out == '1\n'


@pytest.mark.slow
def test_a_finalizer_at_teardown_does_not_hang() -> None:
    out = run("""
        class Last:
            def __del__(self):
                try: print(run_sync(one))
                except Exception as error: print(type(error).__name__)
        import builtins
        run_sync(one)
        builtins.keep = Last()
    """)
    assert out in ('CallCancelled\n', '1\n', '')


@pytest.mark.slow
def test_shutdown_cancels_what_runs_and_the_next_call_starts_anew() -> None:
    out = run("""
        channel = open_sync(forever)
        from syncai._bridge.loop_thread import loop_thread
        print(loop_thread.shutdown())
        while channel.next_batch() is not None: pass
        try: channel.finish()
        except Exception as error: print(type(error).__name__)
        print(run_sync(one), sum(t.name == 'syncai-loop' for t in threading.enumerate()))
    """)
    assert out == 'True\nCallCancelled\n1 1\n'


@pytest.mark.slow
def test_a_thread_that_cannot_start_is_an_error_and_the_next_call_works() -> None:
    out = run("""
        from syncai import SyncAIError
        real = threading.Thread.start
        def fail(self): raise RuntimeError("can't start new thread")
        threading.Thread.start = fail
        try: run_sync(one)
        except SyncAIError as e: print('cannot start its loop thread' in str(e), isinstance(e, RuntimeError))
        threading.Thread.start = real
        print(run_sync(one))
    """)
    assert out == 'True True\n1\n'
