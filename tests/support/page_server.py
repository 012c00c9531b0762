"""WSGI servers with a thread for each request, in this process."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from werkzeug.serving import WSGIRequestHandler as WerkzeugHandler
from werkzeug.serving import make_server as make_werkzeug

App = Callable[[dict[str, Any], Any], Iterable[bytes]]


class QuietHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None: ...  # noqa: A002


class QuietWerkzeug(WerkzeugHandler):
    def log(self, type: str, message: str, *args: Any) -> None: ...  # noqa: A002


class ThreadingServer(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = False


@contextmanager
def serving(app: App, kind: str = 'werkzeug') -> Iterator[int]:
    """The port of a server with a thread for each request; its threads have ended when the block is left."""
    server: Any
    if kind == 'wsgiref':
        server = make_server('127.0.0.1', 0, app, ThreadingServer, QuietHandler)
    else:
        server = make_werkzeug('127.0.0.1', 0, app, threaded=True, request_handler=QuietWerkzeug)
        server.daemon_threads = False
    thread = threading.Thread(target=server.serve_forever, kwargs={'poll_interval': 0.01})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
