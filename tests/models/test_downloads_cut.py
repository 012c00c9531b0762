"""A file whose server names no length: it is whole where the server ends the connection, and cut where it breaks."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from transport_tls import Authority
from transport_wire import run

from syncai._transport.download import Download, download
from syncai.exceptions import DownloadError
from syncai.settings import HttpOptions

HEAD = b'HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nconnection: close\r\n'


@contextmanager
def file_server(answer: bytes, tls: ssl.SSLContext, *, close_notify: bool) -> Iterator[str]:
    """Serves one file by the standard library's blocking TLS, which ends with close_notify where asked to alone."""
    listener = socket.create_server(('127.0.0.1', 0))

    def serve() -> None:
        plain, _ = listener.accept()
        with tls.wrap_socket(plain, server_side=True) as client:
            while not client.recv(65_536).endswith(b'\r\n\r\n'):
                pass
            client.sendall(answer)
            if close_notify:
                client.unwrap().close()  # the other side answers with its own
            else:
                client.shutdown(socket.SHUT_RDWR)  # of TCP, as by anybody on the way

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f'https://localhost:{listener.getsockname()[1]}/plan.txt'
    finally:
        thread.join()
        listener.close()


def fetched(tmp_path: Path, answer: bytes, *, close_notify: bool) -> Download:
    authority = Authority(tmp_path)
    options = HttpOptions(allow_private_downloads=True, max_retries=0, verify=authority.bundle)
    with file_server(answer, authority.serving('localhost'), close_notify=close_notify) as url:
        result: Download = run(download(url, options))
    return result


def test_a_file_without_a_length_that_ends_without_close_notify_was_cut(tmp_path: Path) -> None:
    """RFC 8446, 6.1: without it, "truncation attacks" are possible; RFC 9112, 9.8: such an answer is incomplete."""
    with pytest.raises(DownloadError, match=r'/plan\.txt was cut'):
        fetched(tmp_path, HEAD + b'\r\nhalf of it', close_notify=False)


def test_a_file_without_a_length_that_ends_with_close_notify_is_whole(tmp_path: Path) -> None:
    assert fetched(tmp_path, HEAD + b'\r\nall of it', close_notify=True) == Download(b'all of it', 'text/plain')


def test_a_file_with_its_length_needs_no_close_notify(tmp_path: Path) -> None:
    answer = HEAD + b'content-length: 9\r\n\r\nall of it'
    assert fetched(tmp_path, answer, close_notify=False) == Download(b'all of it', 'text/plain')
