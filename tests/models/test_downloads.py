"""Files fetched from their addresses: what is fetched, from where it is not, and how a prompt then holds it."""

from __future__ import annotations

import asyncio
import base64
import gzip
import socket
from collections.abc import Callable
from typing import Any

import pytest
from transport_proxy import Tunnel
from transport_server import Connection, Handler, Server, run

from syncai._transport import download as module
from syncai._transport.download import Download, download, is_public
from syncai.direct import model_request_sync
from syncai.exceptions import DeadlineExceeded, DownloadError, UserError
from syncai.messages import AudioUrl, DocumentUrl, ImageUrl, ModelRequest, UserContent, UserPromptPart, VideoUrl
from syncai.models.openai import OpenAIChatModel
from syncai.settings import HttpOptions
from syncai.testing import ModelServer, Reply

ALLOWED = HttpOptions(allow_private_downloads=True, max_retries=0)


@pytest.mark.parametrize(
    'address',
    [
        '127.0.0.1', '127.9.9.9', '0.0.0.0', '10.1.2.3', '172.16.0.1', '192.168.1.1', '169.254.169.254',
        '100.100.100.200', '168.63.129.16', '192.0.0.192', '224.0.0.1', '239.1.1.1', '255.255.255.255',
        '::1', '::', 'fe80::1', 'fe80::1%eth0', 'fd00:ec2::254', 'ff02::1', '::ffff:127.0.0.1',
        '::ffff:169.254.169.254', 'fec0::1', '64:ff9b:1::1', '2002:7f00:1::',
        '64:ff9b::7f00:1', '64:ff9b::a9fe:a9fe', '2001:0:4136:e378:8000:63bf:80ff:fffe',
        '::127.0.0.1', '::10.1.2.3', '::8.8.8.8', '::ffff:0:127.0.0.1', '::ffff:0:169.254.169.254', '::ffff:0:8.8.8.8',
        '192.88.99.1', '192.88.99.255', '3fff::1', '3fff:fff::1', '5f00::1', '5f00:ffff::1', '64:ff9b::a01:203',
        '100:0:0:1::1', '64:ff9b::192.0.0.192', '2002:c058:6301::1', '::ffff:192.88.99.1', 'ff0e::1', 'fe80::1%1',
    ],
)  # fmt: skip
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    'address',
    ['1.1.1.1', '93.184.216.34', '192.88.98.1', '2606:4700:4700::1111', '64:ff9b::101:101', '3ffe::1', '5eff::1'],
)
def test_public_addresses(address: str) -> None:
    assert is_public(address)


def fetched(handler: Handler, options: HttpOptions = ALLOWED, path: str = '/a.txt') -> tuple[Any, int]:
    """The result of a download, or its error, and the number of requests."""

    async def test(server: Server) -> Any:
        try:
            return await download(server.url.removesuffix('/v1') + path, options), len(server.requests)
        except Exception as error:
            return error, len(server.requests)

    result: tuple[Any, int] = run(handler, test)
    return result


async def file(connection: Connection, number: int) -> None:
    await connection.answer(body=b'hello', kind='Text/Plain; charset=utf-8')


def to(location: str) -> Handler:
    async def handler(connection: Connection, number: int) -> None:
        if number == 1:
            await connection.answer(302, location=location.replace('PORT', connection.server.url.split(':')[2][:-3]))
        else:
            await file(connection, number)

    return handler


def test_a_file() -> None:
    assert fetched(file) == (Download(b'hello', 'text/plain'), 1)


def test_loopback_is_refused_before_anything_is_sent() -> None:
    error, requests = fetched(file, HttpOptions())
    assert isinstance(error, UserError)
    assert 'leads to 127.0.0.1, which is not a public address' in str(error)
    assert 'allow_private_downloads=True' in str(error)
    assert requests == 0


def test_what_counts_is_the_address_that_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that was public when somebody checked it, and is not when it is connected to."""
    asked: list[str] = []

    def resolve(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, '', ('127.0.0.1', port))]

    monkeypatch.setattr(socket, 'getaddrinfo', resolve)

    async def test(server: Server) -> Any:
        with pytest.raises(UserError, match=r'example\.com:\d+/x leads to 127\.0\.0\.1'):
            await download(server.url.replace('127.0.0.1', 'example.com').replace('/v1', '/x'), HttpOptions())
        assert server.opened == 0

    run(file, test)
    assert asked == ['example.com']


@pytest.mark.parametrize('location', ['http://127.0.0.1:PORT/b.txt', '/b.txt', 'b.txt'])
def test_a_redirect_is_followed(location: str) -> None:
    assert fetched(to(location)) == (Download(b'hello', 'text/plain'), 2)


@pytest.mark.parametrize(
    'location',
    [
        'http://[::1',
        'http://host:port/x',
        'http://host:99999/x',
        'http://\u202ea',
        '//host:-1/x',
    ],
)
def test_a_redirect_to_a_broken_address_is_the_mistake_of_the_server(location: str) -> None:
    error, _ = fetched(to(location))
    assert isinstance(error, DownloadError)
    assert 'its server redirects to what is no address' in str(error)


@pytest.mark.parametrize(
    'url', ['http://host/\ud800', 'http://ho\udcffst/x', 'http://host/a\nb', 'http://host/\u202eb']
)
def test_an_address_with_what_no_address_has_is_the_mistake_of_the_user(url: str) -> None:
    with pytest.raises(UserError, match='character that no address has') as caught:
        asyncio.run(download(url, ALLOWED))
    str(caught.value).encode()


def test_a_redirect_is_checked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, 'is_public', lambda address: address == '127.0.0.1')
    error, requests = fetched(to('http://127.0.0.2:PORT/secret'), HttpOptions())
    assert 'leads to 127.0.0.2' in str(error)
    assert requests == 1
    error, _ = fetched(to('file:///etc/passwd'), HttpOptions())
    assert isinstance(error, UserError)
    assert "http or https only, not by 'file'" in str(error)


def test_redirects_without_end() -> None:
    async def round_and_round(connection: Connection, number: int) -> None:
        await connection.answer(307, location='/again')

    error, requests = fetched(round_and_round)
    assert isinstance(error, DownloadError)
    assert requests == 6


@pytest.mark.parametrize('with_length', [True, False])
def test_a_file_that_is_too_large(with_length: bool) -> None:
    async def large(connection: Connection, number: int) -> None:
        if with_length:
            await connection.write(b'HTTP/1.1 200 OK\r\ncontent-length: 1001\r\n\r\n')
            return
        await connection.begin_events()
        for _ in range(11):
            await connection.chunk(b'x' * 100)

    error, _ = fetched(large, HttpOptions(allow_private_downloads=True, max_download_bytes=1000))
    assert isinstance(error, UserError)
    assert 'larger than 1000 bytes: HttpOptions.max_download_bytes' in str(error)


def test_a_file_that_came_packed_is_unpacked_within_the_limit() -> None:
    async def packed(connection: Connection, number: int) -> None:
        await connection.answer(body=gzip.compress(b'x' * 900), content_encoding='gzip', kind='text/plain')

    fits, _ = fetched(packed, HttpOptions(allow_private_downloads=True, max_download_bytes=1000))
    assert fits.data == b'x' * 900
    error, _ = fetched(packed, HttpOptions(allow_private_downloads=True, max_download_bytes=800))
    assert isinstance(error, UserError)
    assert 'larger than 800 bytes' in str(error)


@pytest.mark.parametrize(
    ('answer', 'words'),
    [
        (lambda c: c.answer(404, b'no'), 'answered 404'),
        (lambda c: c.answer(304, b''), 'answered 304'),
        (lambda c: c.answer(body=b'x', content_encoding='zstd'), "it came in 'zstd', which was not requested"),
        (lambda c: c.answer(body=b'plain text', content_encoding='gzip'), 'its body is not gzip'),
        (lambda c: c.write(b'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx'), 'cannot be fetched'),
    ],
)
def test_what_a_server_does_wrong(answer: Callable[[Connection], Any], words: str) -> None:
    async def handler(connection: Connection, number: int) -> None:
        await answer(connection)
        connection.writer.close()

    error, _ = fetched(handler, path='/a.txt?token=SECRET')
    assert isinstance(error, DownloadError)
    assert words in str(error)
    assert 'SECRET' not in str(error)


def test_a_server_that_is_not_there() -> None:
    with pytest.raises(DownloadError, match='refused'):
        asyncio.run(download('http://127.0.0.1:1/x', ALLOWED))


@pytest.mark.parametrize(
    ('url', 'words'),
    [
        ('ftp://example.com/x', "not by 'ftp'"),
        ('file:///etc/passwd', "not by 'file'"),
        ('/etc/passwd', 'not by'),
        ('http://name:SECRET@example.com/x', 'user name or password'),
        ('http://[::1/x', 'cannot be read'),
        ('http://example.com:SECRET/x', 'cannot be read'),
    ],
)
def test_addresses_that_are_none_of_a_file(url: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        asyncio.run(download(url, HttpOptions()))


@pytest.mark.parametrize('host', ['127.0.0.1', 'localhost'])
def test_behind_a_proxy_names_are_checked_before(host: str) -> None:
    async def main() -> None:
        proxy = Tunnel(b'403 No')
        listening = await asyncio.start_server(proxy.serve, '127.0.0.1', 0)
        address = f'http://127.0.0.1:{listening.sockets[0].getsockname()[1]}'
        try:
            with pytest.raises(UserError, match='not a public address'):
                await download(f'http://{host}/x', HttpOptions(proxy=address))
        finally:
            listening.close()
        assert proxy.asked == []

    asyncio.run(main())


# --- in a prompt ------------------------------------------------------------------------------------------------------


class Files:
    """A server of files, and a model that was asked about them."""

    def __init__(self, kind: str = 'application/octet-stream') -> None:
        self.kind = kind

    def asked(self, content: list[UserContent], provider: str = 'openai', options: HttpOptions = ALLOWED) -> Any:
        """The content of the user's message as the provider got it, and how many files were fetched."""

        async def answer(connection: Connection, number: int) -> None:
            await connection.answer(body=b'hello', kind=self.kind)

        async def test(server: Server) -> Any:
            self.url = server.url.removesuffix('/v1')
            here = [self._at_the_server(item) for item in content]
            sent = await asyncio.to_thread(self._ask, here, provider, options)
            return sent, len(server.requests)

        return run(answer, test)

    def _at_the_server(self, item: Any) -> Any:
        return type(item)(self.url + item.url, media_type_=item.media_type_) if hasattr(item, 'url') else item

    def _ask(self, content: list[UserContent], provider: str, options: HttpOptions) -> Any:
        with ModelServer(Reply('seen')) as models:
            model = OpenAIChatModel('m', provider=provider, base_url=models.base_url, api_key='k', http=options)
            try:
                model_request_sync(model, [ModelRequest([UserPromptPart(content)])])
            except (UserError, DownloadError) as error:
                assert models.requests == []
                return error
            return models.requests[0].json['messages'][0]['content']


def data_url(kind: str) -> str:
    return f'data:{kind};base64,{base64.b64encode(b"hello").decode()}'


def test_a_pdf_and_a_sound_for_chat_completions() -> None:
    content, requests = Files().asked(['look', DocumentUrl('/the%20plan.pdf'), AudioUrl('/a.wav'), AudioUrl('/a.wav')])
    file = {'filename': 'the plan.pdf', 'file_data': data_url('application/pdf')}
    sound = {'type': 'input_audio', 'input_audio': {'data': base64.b64encode(b'hello').decode(), 'format': 'wav'}}
    assert content == [{'type': 'text', 'text': 'look'}, {'type': 'file', 'file': file}, sound, sound]
    assert requests == 2


def test_what_the_server_says_wins_over_the_ending_and_the_caller_over_both() -> None:
    content, _ = Files('text/markdown').asked([DocumentUrl('/readme')])
    assert content == [{'type': 'text', 'text': '-----BEGIN FILE readme-----\nhello\n-----END FILE readme-----'}]
    content, _ = Files('text/plain').asked([DocumentUrl('/x', media_type_='application/pdf')])
    assert content[0]['file']['file_data'] == data_url('application/pdf')
    error, _ = Files().asked([DocumentUrl('/x')])
    assert 'media_type_=' in str(error)


def test_a_provider_that_fetches_by_itself_gets_the_address() -> None:
    content, requests = Files().asked([ImageUrl('/a.png'), DocumentUrl('/a.pdf')], 'openrouter')
    assert content[0]['image_url']['url'].endswith('/a.png')
    assert content[1]['file']['file_data'].endswith('/a.pdf')
    content, _ = Files().asked([DocumentUrl('/a.pdf')], 'mistral')
    assert content[0]['document_url'].endswith('/a.pdf')
    assert requests == 0


def test_a_provider_that_fetches_no_images_gets_the_bytes() -> None:
    content, requests = Files('image/png').asked([ImageUrl('/a')], 'moonshot')
    assert (content[0]['image_url'], requests) == ({'url': data_url('image/png')}, 1)


@pytest.mark.parametrize(
    ('item', 'provider', 'kind'),
    [
        (VideoUrl('/a.mp4'), 'openai', 'VideoUrl'),
        (AudioUrl('/a.wav'), 'groq', 'AudioUrl'),
        (ImageUrl('/a.png'), 'deepseek', 'ImageUrl'),
    ],
)
def test_what_a_provider_takes_in_no_form_is_not_fetched(item: UserContent, provider: str, kind: str) -> None:
    error, requests = Files().asked([item], provider)
    assert isinstance(error, UserError)
    assert f'takes no {kind}; it takes text' in str(error)
    assert requests == 0


def test_the_deadline_of_the_call_is_that_of_its_downloads() -> None:
    async def silent(connection: Connection, number: int) -> None:
        await connection.reader.read()  # until the client has gone

    async def test(server: Server) -> None:
        request = ModelRequest([UserPromptPart([DocumentUrl(f'{server.url}/{n}.pdf') for n in range(3)])])
        model = OpenAIChatModel('m', base_url='http://127.0.0.1:1/v1', http=ALLOWED)
        with pytest.raises(DeadlineExceeded):
            await asyncio.to_thread(model_request_sync, model, [request], model_settings={'timeout': 0.3})
        assert server.opened == 3
        while server.open_now:  # the time limit of the test ends a leak
            await asyncio.sleep(0.001)

    run(silent, test)


def test_a_private_address_in_a_prompt() -> None:
    error, requests = Files().asked([DocumentUrl('/a.pdf')], options=HttpOptions())
    assert 'not a public address' in str(error)
    assert requests == 0
