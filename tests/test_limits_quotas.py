"""Whose quota a request counts for, from when on, and for how long that is remembered."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from transport_server import fine, options, request, serving
from transport_tls import Authority
from transport_wire import run, turns, until

from syncai import ModelRequest, model_request_sync
from syncai._bridge import run_sync
from syncai._transport import limiter, shared_client
from syncai._transport.window import Share, Window
from syncai.exceptions import DeadlineExceeded
from syncai.limits import limit, limits_in_force
from syncai.models.openai import OpenAIChatModel
from syncai.testing import ModelServer, Reply

HELLO = [ModelRequest.user_text_prompt('hello')]


@pytest.fixture(autouse=True)
def no_limits() -> Iterator[None]:
    yield
    limits_in_force.clear()


class Gate:
    """Passes connections on to a port, once it is open: a TLS handshake, as by a server under load, takes that long."""

    def __init__(self, port: int) -> None:
        self._port, self.open, self.waiting = port, asyncio.Event(), 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.waiting += 1
        await self.open.wait()
        inner_reader, inner_writer = await asyncio.open_connection('127.0.0.1', self._port)
        await asyncio.gather(self._copy(reader, inner_writer), self._copy(inner_reader, writer))

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                writer.write(data)
        except ConnectionError:
            pass
        finally:
            writer.close()


@asynccontextmanager
async def behind_a_gate(server: Any) -> Any:
    gate = Gate(int(server.url.split(':')[2].split('/')[0]))
    listening = await asyncio.start_server(gate.serve, '127.0.0.1', 0)
    try:
        yield gate, f'https://localhost:{listening.sockets[0].getsockname()[1]}/v1'
    finally:
        listening.close()
        await turns(3)


def test_a_request_counts_from_when_its_head_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not while it connects: 8 of one minute and 8 of the next would reach a provider at the same time."""
    used: list[Share] = []
    begin = Window.begin

    def noted(self: Window, share: Share, now: float) -> None:
        used.append(share)
        begin(self, share, now)

    monkeypatch.setattr(Window, 'begin', noted)
    limit('openai', requests_per_minute=8)
    authority = Authority(tmp_path)

    async def test() -> None:
        async with serving(fine, authority.serving('localhost')) as server, behind_a_gate(server) as (gate, url):
            client = shared_client(options(verify=authority.bundle))
            calls = [asyncio.create_task(client.send(replace(request(url), provider='openai'))) for _ in range(12)]
            await until(lambda: gate.waiting == 8)
            await turns(20)
            assert (used, gate.waiting) == ([], 8)  # nobody counts, and nobody else is let through
            gate.open.set()
            await asyncio.gather(*calls[:8])
            assert (len(used), len(server.requests)) == (8, 8)
            for call in calls[8:]:
                call.cancel()
            await asyncio.gather(*calls[8:], return_exceptions=True)

    run(test())


def web_token(number: int, subject: str = 'app-1') -> str:
    """A JSON web token as Microsoft Entra issues them: each hour another one, for the same subject."""
    parts = [{'alg': 'RS256'}, {'iss': 'https://sts.example/tenant', 'sub': subject, 'aud': 'ai', 'exp': number}]
    return '.'.join(
        [*(base64.urlsafe_b64encode(json.dumps(one).encode()).decode().rstrip('=') for one in parts), 'sig']
    )


class Login:
    """Gives another key each time; a method of it is another object each time it is asked for."""

    number = 0

    def key(self) -> str:
        self.number += 1
        return f'opaque-key-{self.number}'


@pytest.mark.parametrize('kind', ['web tokens', 'method'])
def test_a_renewed_token_does_not_begin_a_fresh_quota(kind: str) -> None:
    """Also of models that are made again with it, as in each request of a web application."""
    login = Login()
    limit('openai', requests_per_minute=2)
    with ModelServer(Reply('x')) as server:
        for number in range(3):
            key: Any = web_token(number) if kind == 'web tokens' else login.key
            model = OpenAIChatModel('m', base_url=server.base_url, api_key=key)
            if number == 2:
                with pytest.raises(DeadlineExceeded, match='rate limit'):
                    model_request_sync(model, HELLO, model_settings={'timeout': 0.2})
            else:
                model_request_sync(model, HELLO)
        other: Any = web_token(9, 'app-2') if kind == 'web tokens' else Login().key
        model = OpenAIChatModel('m', base_url=server.base_url, api_key=other)
        assert model_request_sync(model, HELLO, model_settings={'timeout': 5}).text == 'x'
        assert len(server.requests) == 3


def test_what_only_looks_like_a_token_is_a_key_of_its_own() -> None:
    limit('openai', requests_per_minute=1)
    with ModelServer(Reply('x')) as server:
        for key in ('a.b.c', 'a.W10.c', 'a.W11.c', 'a.eyJzdWIiOiIifQ.c', 'a.!!.c'):
            model = OpenAIChatModel('m', base_url=server.base_url, api_key=key)
            assert model_request_sync(model, HELLO, model_settings={'timeout': 5}).text == 'x'


def gates() -> int:
    """How many the loop thread holds."""

    async def count() -> int:
        return len(limiter._gates.get(asyncio.get_running_loop(), {}))

    return run_sync(count)


def test_what_is_idle_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limiter, '_MINUTE', 0.01)
    limit('openai', requests_per_minute=50, max_concurrency=5)
    with ModelServer(Reply('x')) as server:
        for number in range(200):
            model_request_sync(OpenAIChatModel('m', base_url=server.base_url, api_key=f'key-{number}'), HELLO)
            assert gates() <= 100


def test_what_counts_is_not_forgotten() -> None:
    limit('openai', requests_per_minute=1)
    with ModelServer(Reply('x')) as server:
        models = [OpenAIChatModel('m', base_url=server.base_url, api_key=f'key-{n}') for n in range(80)]
        for model in models:
            model_request_sync(model, HELLO)
        for model in models[::20]:
            with pytest.raises(DeadlineExceeded):
                model_request_sync(model, HELLO, model_settings={'timeout': 0.1})
