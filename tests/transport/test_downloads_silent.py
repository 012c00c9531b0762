"""Files in prompts whose name servers never answer hold up no call to a provider."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from plain_http import wait_until
from transport_server import Connection, Server, run

from syncai import model_request_sync
from syncai._transport.download import _places_of
from syncai.exceptions import DownloadError
from syncai.messages import DocumentUrl, ModelRequest, UserPromptPart
from syncai.models._http.downloads import with_downloads
from syncai.models.openai import OpenAIChatModel
from syncai.settings import HttpOptions
from syncai.testing import ModelServer, Reply

FILES = 12
PROMPTS = 3


def test_silent_names_of_files_hold_up_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """More of them than the threads that look up the names of providers, which are eight."""
    system, asked, over = socket.getaddrinfo, list[str](), threading.Event()

    def resolve(host: Any, *args: Any, **options: Any) -> Any:
        if str(host).endswith('.silent.example'):
            asked.append(host)
            over.wait(40)
            raise socket.gaierror(socket.EAI_AGAIN, 'Temporary failure in name resolution')
        return system(host, *args, **options)

    monkeypatch.setattr(socket, 'getaddrinfo', resolve)

    def prompt(number: int) -> None:
        files = [DocumentUrl(f'https://{number}-{n}.silent.example/a.pdf') for n in range(FILES)]
        options = HttpOptions(connect_timeout=30, max_retries=0)
        model = OpenAIChatModel('m', base_url='http://127.0.0.1:1/v1', api_key='k', http=options)
        model_request_sync(model, [ModelRequest([UserPromptPart(files)])])

    with ModelServer(Reply('x')) as server, ThreadPoolExecutor(PROMPTS) as pool:
        prompts = [pool.submit(prompt, number) for number in range(PROMPTS)]
        try:
            wait_until(lambda: len(asked) == 4 * PROMPTS)
            url = server.base_url.replace('127.0.0.1', 'localhost')
            model = OpenAIChatModel('m', base_url=url, api_key='k', http=HttpOptions(max_retries=0, connect_timeout=10))
            assert model_request_sync(model, [ModelRequest.user_text_prompt('hi')]).text == 'x'
            assert len(asked) == 4 * PROMPTS  # of each prompt, four at once
        finally:
            over.set()
        for one in prompts:
            with pytest.raises(DownloadError):
                one.result(20)


def test_of_all_requests_together_sixteen_files_are_fetched_at_once() -> None:
    """Counted by their server; the ones that are left and the ones that fail give their places back."""
    begun, most, answering = 0, 0, asyncio.Event()

    async def handler(connection: Connection, number: int) -> None:
        nonlocal begun, most
        begun += 1
        most = max(most, begun)
        await answering.wait()
        begun -= 1
        await connection.answer(404 if number % 7 == 0 else 200, body=b'x', kind='text/plain')

    async def test(server: Server) -> None:
        options = HttpOptions(allow_private_downloads=True, max_retries=0)

        async def prompt(number: int) -> None:
            files = [DocumentUrl(f'{server.url}/{number}-{n}.txt') for n in range(6)]
            with contextlib.suppress(DownloadError):
                await with_downloads([ModelRequest([UserPromptPart(files)])], lambda _: True, options)

        left = [asyncio.ensure_future(prompt(number)) for number in range(10)]
        while begun < 16:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        for task in left:
            task.cancel()
        await asyncio.wait(left)
        answering.set()
        async with asyncio.timeout(20):
            await asyncio.gather(*map(prompt, range(20)))

    run(handler, test)
    assert most == 16
    assert not _places_of
