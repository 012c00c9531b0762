"""TLS of companies: contexts, authorities by path, and certificates that say who we are."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
import truststore

from syncai import HttpOptions, ModelRequest, SyncAIError, UserError, model_request_sync
from syncai._transport.download import download
from syncai.exceptions import DownloadError, ModelConnectionError
from syncai.models.openai import OpenAIChatModel
from syncai.testing import ModelServer, Reply

HELLO = [ModelRequest.user_text_prompt('Hi')]


class Company:
    """An authority, and files of its certificates."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.authority = trustme.CA()
        self.bundle = directory / 'ca.pem'
        self.authority.cert_pem.write_to_path(self.bundle)

    def serving(self, *, asks: bool) -> ssl.SSLContext:
        """The TLS context of a server, which may request a certificate from its clients."""
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.authority.issue_cert('127.0.0.1').configure_cert(tls)
        if asks:
            self.authority.configure_trust(tls)
            tls.verify_mode = ssl.CERT_REQUIRED
        return tls

    def client(self, password: bytes | None = None) -> tuple[str, str]:
        """The files of a certificate and its key."""
        from cryptography.hazmat.primitives import serialization

        issued = self.authority.issue_cert('someone@company.example')
        certificate, key = self.directory / 'me.pem', self.directory / 'me.key'
        issued.cert_chain_pems[0].write_to_path(certificate)
        kind: Any = (
            serialization.NoEncryption() if password is None else serialization.BestAvailableEncryption(password)
        )
        loaded = serialization.load_pem_private_key(issued.private_key_pem.bytes(), None)
        pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        key.write_bytes(loaded.private_bytes(pem, form, kind))
        return str(certificate), str(key)


@pytest.fixture
def company(tmp_path: Path) -> Company:
    return Company(tmp_path)


@pytest.fixture
def server(company: Company) -> Iterator[ModelServer]:
    with ModelServer(lambda request: Reply('fine'), tls=company.serving(asks=False)) as server:
        yield server


@pytest.fixture
def asking_server(company: Company) -> Iterator[ModelServer]:
    with ModelServer(lambda request: Reply('fine'), tls=company.serving(asks=True)) as server:
        yield server


def ask(server: ModelServer, **options: Any) -> str:
    http = HttpOptions(max_retries=0, **options)
    return model_request_sync(OpenAIChatModel('m', base_url=server.base_url, http=http), HELLO).text


def test_a_context_says_what_to_trust(company: Company, server: ModelServer) -> None:
    assert ask(server, verify=ssl.create_default_context(cafile=str(company.bundle))) == 'fine'
    with pytest.raises(SyncAIError, match='its certificate is not accepted'):
        ask(server, verify=ssl.create_default_context())


def test_the_store_of_the_system(company: Company, server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """By truststore, whose contexts read that store when they connect; on Linux OpenSSL says where it is."""
    monkeypatch.setenv('SSL_CERT_FILE', str(company.bundle))
    assert ask(server, verify=truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)) == 'fine'


def test_an_authority_by_its_path(company: Company, server: ModelServer) -> None:
    assert ask(server, verify=company.bundle) == ask(server, verify=str(company.bundle)) == 'fine'


def test_a_context_with_a_certificate_of_its_own(company: Company, asking_server: ModelServer) -> None:
    context = ssl.create_default_context(cafile=str(company.bundle))
    context.load_cert_chain(*company.client())
    assert ask(asking_server, verify=context) == 'fine'


def test_a_certificate_and_its_key_in_every_form(company: Company, asking_server: ModelServer) -> None:
    certificate, key = company.client()
    both = company.directory / 'both.pem'
    both.write_text(Path(key).read_text() + Path(certificate).read_text())
    trust = str(company.bundle)
    assert ask(asking_server, verify=trust, cert=(certificate, key)) == 'fine'
    assert ask(asking_server, verify=trust, cert=(Path(certificate), Path(key))) == 'fine'
    assert ask(asking_server, verify=trust, cert=str(both)) == ask(asking_server, verify=trust, cert=both) == 'fine'
    certificate, key = company.client(b'hidden-word')
    assert ask(asking_server, verify=trust, cert=(certificate, key, 'hidden-word')) == 'fine'
    context = ssl.create_default_context(cafile=trust)
    assert ask(asking_server, verify=context, cert=(certificate, key, 'hidden-word')) == 'fine'


def test_a_certificate_is_not_shown_to_servers_of_files(company: Company, asking_server: ModelServer) -> None:
    options = HttpOptions(verify=str(company.bundle), cert=company.client(), allow_private_downloads=True)
    with pytest.raises(DownloadError):
        asyncio.run(download(f'{asking_server.base_url}/file', options))
    assert not asking_server.requests
    assert ask(asking_server, verify=str(company.bundle), cert=options.cert) == 'fine'


def test_a_server_that_asks_who_we_are_and_gets_no_answer(company: Company) -> None:
    """OpenSSL says so with an alert, which asyncio's servers do not send: so this one has a plain socket."""
    with socket.create_server(('127.0.0.1', 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            with connection.dup() as rest:  # closed after all was read, since a reset could overtake the alert
                with contextlib.suppress(ssl.SSLError):
                    company.serving(asks=True).wrap_socket(connection, server_side=True).recv(1)
                while rest.recv(65536):
                    pass

        thread = threading.Thread(target=serve)
        thread.start()
        address = f'https://127.0.0.1:{listening.getsockname()[1]}/v1'
        http = HttpOptions(max_retries=0, verify=str(company.bundle))
        with pytest.raises(SyncAIError, match=r'asks for a certificate of the client .*HttpOptions\(cert=\.\.\.\)'):
            model_request_sync(OpenAIChatModel('m', base_url=address, http=http), HELLO)
        thread.join(5)


def test_a_key_with_a_password_is_not_asked_for_on_the_terminal(company: Company, asking_server: ModelServer) -> None:
    certificate, key = company.client(b'hidden-word')
    for cert in ((certificate, key), (certificate, key, 'wrong-word')):
        with pytest.raises(UserError, match=r'HttpOptions\.cert=.*me\.pem.* cannot be loaded') as caught:
            ask(asking_server, verify=str(company.bundle), cert=cert)
        assert 'word' not in str(caught.value).replace('password', '')


@pytest.mark.parametrize('cert', ['none.pem', ('none.pem', 'none.key')])
def test_a_certificate_that_is_not_there_is_named(cert: Any, asking_server: ModelServer) -> None:
    with pytest.raises(UserError, match=r"HttpOptions\.cert='none\.pem'"):
        ask(asking_server, cert=cert)


@pytest.mark.parametrize(
    'option', [{'cert': 7}, {'cert': ()}, {'cert': ('a', None)}, {'verify': 7}, {'verify': None}, {'verify': b'x'}]
)
def test_an_option_of_another_type(option: Any) -> None:
    with pytest.raises(UserError, match=f'HttpOptions.{next(iter(option))} must be'):
        HttpOptions(**option)


def test_the_repr_shows_no_password() -> None:
    assert 'hidden-word' not in repr(HttpOptions(cert=('me.pem', 'me.key', 'hidden-word')))
    with pytest.raises(UserError) as caught:
        HttpOptions(cert=('me.pem', 'me.key', 'hidden-word', 'more'))  # type: ignore[arg-type]
    assert 'hidden-word' not in str(caught.value)


@pytest.mark.parametrize(
    ('variable', 'path'),
    [
        ('SSL_CERT_FILE', 'missing.pem'),
        ('SSL_CERT_FILE', 'empty.pem'),
        ('SSL_CERT_FILE', 'garbled.pem'),
        ('SSL_CERT_FILE', ''),  # the directory itself
        ('SSL_CERT_DIR', 'missing'),
        ('SSL_CERT_DIR', 'empty.pem'),
        ('SSL_CERT_DIR', 'missing:missing too'),
        ('SSLKEYLOGFILE', 'missing/keys.log'),
        ('SSLKEYLOGFILE', ''),
    ],
)
def test_a_file_of_the_environment_that_cannot_be_used_is_named(
    variable: str, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('syncai._transport.certificates._contexts', {})
    for other in ('SSL_CERT_FILE', 'SSL_CERT_DIR', 'SSLKEYLOGFILE'):
        monkeypatch.delenv(other, raising=False)
    (tmp_path / 'empty.pem').touch()
    (tmp_path / 'garbled.pem').write_text('-----BEGIN CERTIFICATE-----\nxx\n-----END CERTIFICATE-----\n')
    value, tls = str(tmp_path / path), Company(tmp_path).serving(asks=False)
    monkeypatch.setenv(variable, value)
    with ModelServer(tls=tls) as server, pytest.raises(UserError) as caught:
        model_request_sync(OpenAIChatModel('m', base_url=server.base_url), HELLO)
    assert str(caught.value).startswith(f'{variable}={value!r}')


def test_the_remedy_of_a_certificate_of_another_host_or_time(tmp_path: Path) -> None:
    authority = trustme.CA()
    bundle = tmp_path / 'ca.pem'
    authority.cert_pem.write_to_path(bundle)
    past = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    for issued, remedy in (
        (authority.issue_cert('other.example'), 'is the host in base_url right'),
        (authority.issue_cert('127.0.0.1', not_after=past), 'is the clock of this machine right'),
    ):
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        issued.configure_cert(tls)
        with ModelServer(tls=tls) as server, pytest.raises(ModelConnectionError, match=remedy):
            model = OpenAIChatModel('m', base_url=server.base_url, http=HttpOptions(verify=str(bundle), max_retries=0))
            model_request_sync(model, HELLO)
