"""A client that leaves: the run stops, whatever it waits for, and nothing of the watch stays behind."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from page_server import serving
from streams import eventually, model_of

from syncai import Agent
from syncai._bridge import on_hang_up
from syncai.result import RunResult
from syncai.testing import ModelServer, Reply, ToolCall
from syncai.web import encode, headers

pytestmark = pytest.mark.skipif(not hasattr(__import__('select'), 'EPOLLRDHUP'), reason='Linux reports hang-ups')
App = Callable[[dict[str, Any], Any], Iterable[bytes]]


def asked(port: int) -> socket.socket:
    """A client that has sent its request and has the first event."""
    client = socket.create_connection(('127.0.0.1', port), 10)
    client.sendall(b'GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    seen = b''
    while b'start-step' not in seen:
        piece = client.recv(4096)
        assert piece, seen
        seen += piece
    return client


def leave(client: socket.socket, way: str) -> None:
    if way == 'pipelined':
        client.sendall(b'GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    if way == 'half-close':
        client.shutdown(socket.SHUT_WR)
        return
    if way == 'reset':
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    client.close()


class Site:
    """An application that streams a run, and what became of its bodies."""

    def __init__(self, agent: Agent[Any, Any], **options: Any) -> None:
        self.agent = agent
        self.options = options
        self.bodies: list[Any] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        options = {'environ': environ, **self.options}
        body = encode(self.agent.run_stream_events_sync('Hi'), **options)
        self.bodies.append(body)
        start_response('200 OK', list(headers().items()))
        return body


def sockets() -> int:
    """The open sockets of this process."""
    return sum('socket:' in _target(link) for link in Path('/proc/self/fd').iterdir())


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ''


@pytest.mark.parametrize('kind', ['wsgiref', 'werkzeug'])
@pytest.mark.parametrize('way', ['close', 'reset', 'half-close', 'pipelined'])
def test_a_silent_run_stops_when_the_client_leaves(kind: str, way: str, model_server: ModelServer) -> None:
    """A client that only closes its sending side is taken for one that left, since the server cannot distinguish the
    two.
    """
    model_server.reply(Reply('late', delay_first_event=60))
    site = Site(Agent(model_of(model_server)))
    with serving(site, kind) as port, asked(port) as client:
        assert eventually(lambda: len(model_server.requests) == 1)
        leave(client, way)
        model_server.wait_for_disconnect(timeout=10)
        assert eventually(lambda: site.bodies[0]._over)
        assert site.bodies[0]._hang_up is None


@pytest.mark.parametrize('kind', ['wsgiref', 'werkzeug'])
def test_a_half_closed_client_is_served_without_the_environ(kind: str, model_server: ModelServer) -> None:
    model_server.reply(Reply('still here', delay_first_event=0.3))
    with serving(Site(Agent(model_of(model_server)), environ=None), kind) as port, asked(port) as client:
        leave(client, 'half-close')
        rest = b''
        while piece := client.recv(4096):
            rest += piece
        assert b'still here' in rest
        assert b'[DONE]' in rest


def test_a_run_whose_tool_runs_in_a_worker_thread_stops_too(model_server: ModelServer) -> None:
    agent = Agent(model_of(model_server))
    began, go_on = threading.Event(), threading.Event()

    @agent.tool_plain(run_in='thread')
    def slow() -> str:
        began.set()
        go_on.wait(20)
        return 'done'

    model_server.reply(Reply(tool_calls=[ToolCall('slow', '{}')]))
    site = Site(agent)
    with serving(site, 'wsgiref') as port, asked(port) as client:
        assert began.wait(10)
        client.close()
        assert eventually(lambda: site.bodies[0]._over), 'it does not wait for the tool'
        go_on.set()
    assert len(model_server.requests) == 1, 'the model is not asked again'


def test_a_run_that_is_to_finish_is_finished(model_server: ModelServer) -> None:
    model_server.reply(Reply('x', repeat=20, delay_between_events=0.02))
    results: list[RunResult[Any]] = []
    site = Site(Agent(model_of(model_server)), on_leave='finish', on_finish=results.append)
    with serving(site, 'wsgiref') as port, asked(port) as client:
        leave(client, 'reset')
    assert [result.data for result in results] == ['x' * 20]


def test_no_descriptor_stays_open_when_a_response_is_over(model_server: ModelServer) -> None:
    model_server.reply(*[Reply('Hi') for _ in range(6)])
    site = Site(Agent(model_of(model_server)))
    with serving(site, 'werkzeug') as port:
        whole_answer(port)  # after which the loop has its own sockets, and a connection to the model that it keeps
        assert eventually(lambda: site.bodies[0]._over)
        time.sleep(0.1)
        before = sockets()
        for _ in range(5):
            whole_answer(port)
        assert eventually(lambda: sockets() <= before)


def whole_answer(port: int) -> None:
    with asked(port) as client:
        while client.recv(4096):
            pass


def test_the_watch_reports_once_and_not_what_is_sent() -> None:
    here, there = socket.socketpair()
    gone = threading.Event()
    calls: list[int] = []

    def left() -> None:
        calls.append(1)
        gone.set()

    with here, there:
        watch = on_hang_up(here.fileno(), left)
        assert watch is not None
        there.sendall(b'more')
        assert not gone.wait(0.1)
        there.close()
        assert gone.wait(10)
        time.sleep(0.05)
        assert calls == [1]
        watch.close()
        assert here.fileno() >= 0, 'the socket stays that of its owner'


def test_a_watch_that_was_closed_reports_nothing() -> None:
    here, there = socket.socketpair()
    gone = threading.Event()
    with here, there:
        watch = on_hang_up(here.fileno(), gone.set)
        assert watch is not None
        watch.close()
        watch.close()
        there.close()
        assert not gone.wait(0.1)


def test_a_body_that_is_dropped_unclosed_leaves_no_duplicate(model_server: ModelServer) -> None:
    model_server.reply(Reply('late', delay_first_event=60))
    here, there = socket.socketpair()
    with here, there:
        body = encode(Agent(model_of(model_server)).run_stream_events_sync('Hi'), environ={'werkzeug.socket': here})
        next(body)
        assert eventually(lambda: len(model_server.requests) == 1)
        del body
        model_server.wait_for_disconnect(timeout=10)
        here.close()
        there.settimeout(10)
        assert there.recv(1) == b'', 'nobody holds the other side open'
