"""nginx with its default settings in front of gunicorn: text arrives while the model writes it."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from serving import LONG, Program, asked_model, only_in_make_places

from syncai.testing import ModelServer

__all__ = ['asked_model']
only_in_make_places()
NGINX = shutil.which('nginx', path='/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin:/opt/homebrew/bin')
if NGINX is None:
    pytest.skip('nginx is not installed', allow_module_level=True)

# Where it listens and keeps its files, and nothing that changes how it passes answers on.
CONFIGURATION = """
daemon off;
pid {folder}/pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location / {{ proxy_pass http://127.0.0.1:{behind}; }}
    }}
}}
"""


@pytest.fixture
def site(asked_model: ModelServer, tmp_path: Path) -> Iterator[Program]:
    command = ['gunicorn', '-k', 'gthread', '--threads', '16', '-b', '127.0.0.1:0', 'wsgi_app:application']
    with Program(*command, log=tmp_path / 'gunicorn.log', MODEL_URL=asked_model.base_url) as application:
        application.serves(r'Listening at: http://127\.0\.0\.1:(\d+)')
        with socket.create_server(('127.0.0.1', 0)) as free:
            port = free.getsockname()[1]
        configuration = tmp_path / 'nginx.conf'
        configuration.write_text(CONFIGURATION.format(folder=tmp_path, port=port, behind=application.port))
        with Program(str(NGINX), '-c', str(configuration), '-p', str(tmp_path), log=tmp_path / 'nginx.log') as nginx:
            nginx.wait_for_port(port)
            yield nginx


def test_text_arrives_while_it_is_written(site: Program, asked_model: ModelServer) -> None:
    """Of a stream that never ends: a proxy that collects its beginning would pass on nothing."""
    with site.open('/stream/endless') as response:
        assert response.read(5) == b'xxxxx'
    assert asked_model.wait_for_disconnect(timeout=10).finished_at is None


def test_the_stream_of_a_page_arrives_and_its_leaving_reaches_the_provider(
    site: Program, asked_model: ModelServer
) -> None:
    with site.open('/chat/endless') as response:
        seen = b''
        while seen.count(b'"text-delta"') < 3:
            seen += response.read1(4096)
        assert b'"finish"' not in seen
    assert asked_model.wait_for_disconnect(timeout=5).finished_at is None


def test_without_the_header_it_is_collected(site: Program) -> None:
    """Why the guide sets `X-Accel-Buffering: no`."""
    with pytest.raises(TimeoutError), site.open('/stream_collected/endless', timeout=3) as response:
        response.read(5)


def test_streams_side_by_side(site: Program) -> None:
    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(site.get, ['/stream/long'] * 64)) == {'x' * LONG}
