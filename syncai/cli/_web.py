"""`syncai web`: a chat with an agent in the browser, on this machine alone."""

from __future__ import annotations

import socketserver
import sys
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import click

from ..agent import Agent
from ..conversations import MemoryStore
from ..exceptions import UserError
from ..result import RunResult
from ..web import chat_app
from ._agents import agent_at
from ._run import exits_with_status, price_of
from ._web_demo import demo_agent

__all__ = ['web']

_HOST = '127.0.0.1'


@click.command()
@click.argument('place', metavar='[MODULE:AGENT]', required=False)
@click.option('-m', '--model', metavar='MODEL', help='provider:name, for the agent or in place of one.')
@click.option(
    '-p', '--port', type=click.IntRange(0, 65535), default=8000, show_default=True, help='0 takes a free one.'
)
@click.option('--open/--no-open', 'opens', default=False, help='Open the page in the browser.')
@click.option('--demo', is_flag=True, help='A model within this program; no key and no network needed.')
def web(place: str | None, model: str | None, port: int, opens: bool, demo: bool) -> None:
    """Chat with an agent of yours in the browser; the page is served to this machine alone.

    \b
        syncai web shop.agents:helper
        syncai web -m openai:gpt-5.4-mini
    """
    with exits_with_status(), ExitStack() as stack:
        if demo and (place or model):
            raise UserError('--demo brings its own model: leave out the agent and --model')
        agent = stack.enter_context(demo_agent()) if demo else agent_at(place) if place else Agent(model)
        if place and model:
            stack.enter_context(agent.override(model=model, all_threads=True))
        server = stack.enter_context(_serving(chat_app(agent, store=MemoryStore(), metadata=_price_and_model), port))
        address = f'http://{_HOST}:{server.server_port}/'
        click.echo(f'{address}  (Ctrl-C ends)')
        if opens:
            webbrowser.open(address)
        server.serve_forever(poll_interval=0.2)


def _price_and_model(result: RunResult[Any]) -> dict[str, Any]:
    price = price_of(result)
    facts: dict[str, Any] = {'model': result.response.model_name}
    return facts if price is None else {**facts, 'price': float(price)}


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    """One thread for each connection; none delays the end of the process."""

    daemon_threads = True

    def server_bind(self) -> None:
        """Bind without a look-up of this machine's name, which takes seconds on some."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = _HOST, self.server_address[1]
        self.setup_environ()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that left is no error."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the base
        """Requests are not logged: the page shows them."""


@contextmanager
def _serving(app: Callable[..., Any], port: int) -> Iterator[WSGIServer]:
    try:
        server = _Server((_HOST, port), _Handler)
    except OSError as error:
        raise UserError(f'Port {port} of {_HOST} cannot be used ({error.strerror}): take another with --port') from None
    server.set_app(app)
    try:
        yield server
    finally:
        server.server_close()
