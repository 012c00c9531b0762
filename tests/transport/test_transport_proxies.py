"""Proxies: tunnels for https, those of the environment, and those that cannot work."""

from __future__ import annotations

import asyncio
import base64
import ssl
from typing import Any

import pytest
import trustme
from transport_proxy import PASSWORD, tunnel
from transport_server import Connection, Server, fine, options, request, run, send_and_close

from syncai._transport import shared_client
from syncai._transport.proxies import Proxies
from syncai.exceptions import ModelConnectionError, ModelHTTPError, UserError

DEAD = 'http://127.0.0.1:1'


def test_https_goes_through_a_tunnel_with_the_providers_certificate_checked(tmp_path: Any) -> None:
    authority, bundle = trustme.CA(), tmp_path / 'ca.pem'
    authority.cert_pem.write_to_path(str(bundle))
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert('localhost').configure_cert(tls)

    async def test(server: Server) -> None:
        async with tunnel() as proxy:
            client = shared_client(options(proxy=proxy.url, verify=str(bundle)))
            for _ in range(2):
                assert (await client.send(request(server.url))).status == 200
            assert len(proxy.asked) == 1
            assert b'CONNECT localhost:' in proxy.asked[0]
            assert b'proxy-authorization: basic' in proxy.asked[0].lower()
            assert b'sk-secret' not in proxy.asked[0]
            with pytest.raises(ModelConnectionError, match='certificate is not accepted'):
                await shared_client(options(proxy=proxy.url)).send(request(server.url))

    run(fine, test, tls)


@pytest.mark.parametrize(
    ('answer', 'credentials', 'words', 'attempts'),
    [
        (b'407 Proxy Authentication Required', True, r'answered 407: put name and password .*not accept those', 1),
        (
            b'407 Proxy Authentication Required',
            False,
            r'answered 407: put name .*:password@host:port$',
            1,
        ),
        (b'403 Forbidden', True, 'answered 403', 1),
        (b'302 Found\r\nLocation: http://login.example/', True, 'answered 302', 1),
        (b'503 Service Unavailable', True, 'answered 503', 3),
        (b'429 Too Many Requests', True, 'answered 429', 3),
    ],
)
def test_a_proxy_that_refuses_is_asked_once_and_named_without_its_password(
    answer: bytes, credentials: bool, words: str, attempts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('syncai._transport.retry._FIRST_WAIT', 0.001)

    async def test(server: Server) -> None:
        async with tunnel(answer) as proxy:
            address = proxy.url if credentials else proxy.url.replace(f'name:{PASSWORD}@', '')
            with pytest.raises(ModelConnectionError, match=f'proxy 127.*{words}') as caught:
                client = shared_client(options(proxy=address, max_retries=2))
                await client.send(request('https://provider.invalid/v1'))
        assert len(proxy.asked) == caught.value.attempts == attempts
        assert PASSWORD not in f'{caught.value}{vars(caught.value)}'

    run(fine, test)


def test_a_proxy_that_forwards_nothing_without_credentials_is_named() -> None:
    async def refuse(connection: Connection, number: int) -> None:
        await connection.answer(407, b'<h1>Proxy authentication required</h1>', 'text/html')

    async def test(server: Server) -> None:
        with pytest.raises(ModelHTTPError, match=r'the proxy 127\.0\.0\.1:.*put name and password') as caught:
            client = shared_client(options(proxy=server.url.removesuffix('/v1'), max_retries=2))
            await client.send(request('http://provider.invalid/v1'))
        assert len(server.requests) == caught.value.attempts == 1

    run(refuse, test)


def test_a_proxy_that_repeats_its_credentials_is_shown_without_them() -> None:
    async def repeat(connection: Connection, number: int) -> None:
        sent = connection.server.requests[-1].decode()
        credentials = sent.partition('Proxy-Authorization: Basic ')[2].split()[0]
        said = f'{credentials} and {base64.b64decode(credentials).decode()} and {PASSWORD}'
        await connection.answer(502, said.encode(), 'text/plain', x_request_id=credentials)

    async def test(server: Server) -> None:
        proxy = server.url.removesuffix('/v1').replace('://', f'://name:{PASSWORD}@')
        with pytest.raises(ModelHTTPError) as caught:
            await shared_client(options(proxy=proxy)).send(request('http://provider.invalid/v1'))
        assert caught.value.body == '*** and *** and ***'
        shown = f'{caught.value}{vars(caught.value)}'
        assert PASSWORD not in shown
        assert base64.b64encode(f'name:{PASSWORD}'.encode()).decode() not in shown

    run(repeat, test)


@pytest.mark.parametrize('variable', ['HTTPS_PROXY', 'https_proxy', 'ALL_PROXY'])
@pytest.mark.parametrize('proxy', [DEAD, '127.0.0.1:1', f'http://name:{PASSWORD}@127.0.0.1:1', 'http://gone.invalid:1'])
def test_a_dead_proxy_is_named_with_its_variable(variable: str, proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, proxy)
    with pytest.raises(
        ModelConnectionError, match=r'provider\.invalid.*the proxy .*:1 does not.*HTTPS_PROXY'
    ) as caught:
        asyncio.run(send_and_close('https://provider.invalid/v1'))
    assert PASSWORD not in str(caught.value)


@pytest.mark.parametrize(
    ('proxy', 'words'),
    [
        ('socks5://127.0.0.1:1080', 'SOCKS proxy.*NO_PROXY'),
        (f'socks5h://name:{PASSWORD}@127.0.0.1:1080', 'SOCKS proxy'),
        ('ftp://127.0.0.1:21', 'http://host:port'),
        ('http://', 'http://host:port'),
        ('http://host:port', 'http://host:port'),
        ('two words', 'http://host:port'),
        ('http://host\u202e:1', 'http://host:port'),
    ],
)
def test_a_proxy_that_cannot_work_is_the_users_error(proxy: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=f'HttpOptions.proxy.*{words}') as caught:
        asyncio.run(send_and_close('https://provider.invalid/v1', proxy=proxy))
    assert PASSWORD not in str(caught.value)
    monkeypatch.setenv('ALL_PROXY', proxy)
    with pytest.raises(UserError, match=f'ALL_PROXY.*{words}'):
        asyncio.run(send_and_close('https://provider.invalid/v1'))


@pytest.mark.parametrize(
    ('entry', 'past', 'through'),
    [
        ('10.0.0.0/8', ['10.1.2.3', '10.255.255.255'], ['11.1.2.3', '10.example', 'ten.0.0.0']),
        ('192.168.7.0/24', ['192.168.7.9'], ['192.168.8.9']),
        ('192.168.7.9', ['192.168.7.9'], ['192.168.7.90']),
        ('fd00::/8', ['fd12::1', '[fd12::1]'], ['2001:4860::1']),
        ('[fd00::]/8', ['fd12::1'], ['2001:4860::1']),
        ('2001:db8::5', ['2001:db8::5', '[2001:db8:0::5]'], ['2001:db8::6']),
        ('*.a.example', ['x.a.example', 'y.x.a.example', 'X.A.Example'], ['a.example', 'xa.example']),
        ('.a.example', ['x.a.example', 'a.example'], ['xa.example']),
        ('a.example', ['x.a.example', 'a.example', 'a.example.', 'A.EXAMPLE'], ['xa.example', 'a.example.org']),
        ('a.example.', ['x.a.example', 'a.example', 'a.example.'], ['xa.example']),
        ('a.example:443', ['a.example'], []),
        ('a.example:8443', [], ['a.example']),
        ('[2001:db8::5]:443', ['2001:db8::5'], ['2001:db8::6']),
        ('*', ['a.example', '1.2.3.4'], []),
        ('168.7.9', [], ['192.168.7.9']),
        ('.168.7.9', [], ['192.168.7.9']),
        ('*.168.7.9', [], ['192.168.7.9']),
        ('10.0.0.0/8', ['::ffff:10.1.2.3', '[::ffff:a01:203]'], ['::ffff:11.1.2.3']),
        ('2001:DB8::5', ['2001:db8:0:0::5'], []),
        ('bücher.example', ['xn--bcher-kva.example', 'www.bücher.example'], ['bucher.example']),
        ('xn--bcher-kva.example', ['bücher.example'], []),
        ('https://a.example/', ['a.example'], ['xa.example']),
        ('', [], ['a.example']),
        ('*.', [], ['a.example', '1.2.3.4']),
    ],
)
def test_every_form_of_no_proxy(
    entry: str, past: list[str], through: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As curl and Go read it: https://curl.se/docs/manpage.html#--noproxy, https://pkg.go.dev/golang.org/x/net/http/httpproxy."""
    monkeypatch.setenv('HTTPS_PROXY', DEAD)
    for value in (entry, f'other.example, {entry}', f'other.example {entry},'):
        monkeypatch.setenv('NO_PROXY', value)
        proxies = Proxies(None)
        assert [host for host in past if proxies.of('https', host, 443) is not None] == []
        assert [host for host in through if proxies.of('https', host, 443) is None] == []


def test_this_machine_needs_no_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ('HTTP_PROXY', 'http_proxy', 'ALL_PROXY'):
        monkeypatch.setenv(variable, DEAD)
    proxies = Proxies(None)
    for host in ('127.0.0.1', '127.1.2.3', 'localhost', 'a.localhost', '::1', '[::1]'):
        assert proxies.of('http', host) is None
    assert proxies.of('http', '127.0.0.1.example.com') == DEAD
    assert Proxies(DEAD).of('http', 'localhost') == DEAD

    async def test(server: Server) -> None:
        assert (await shared_client(options()).send(request(server.url))).status == 200

    run(fine, test)
