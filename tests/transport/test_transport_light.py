"""The imports of a first request: only libraries that it needs, since a new process waits for each of them."""

from __future__ import annotations

import ssl
import subprocess
import sys
from pathlib import Path

import pytest
import trustme

from syncai.testing import ModelServer, Reply

FOREIGN = {'anyio', 'certifi', 'click', 'h11', 'httpcore', 'httpx', 'idna', 'rich', 'sniffio', 'tenacity'}
OF_FAILURES_AND_PROXIES = {'email', 'http.client', 'http.cookiejar', 'random', 'urllib.request', 'zlib'}
ASK = """
import sys
before = set(sys.modules)  # what the start of the interpreter imports is not ours

from syncai import ModelRequest, model_request_stream_sync, model_request_sync
from syncai.models.openai import OpenAIChatModel

model, hello = OpenAIChatModel('m', base_url=sys.argv[1], api_key='k'), [ModelRequest.user_text_prompt('Hi')]
assert model_request_sync(model, hello).text == 'fine'
with model_request_stream_sync(model, hello) as stream:
    assert [event for event in stream] and stream.get().text == 'fine'
print(*sorted(set(sys.modules) - before))
"""


@pytest.mark.parametrize('secure', [False, True])
def test_a_first_request_needs_neither_httpx_nor_what_only_failures_need(
    secure: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, tls = trustme.CA(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert('127.0.0.1').configure_cert(tls)
    authority.cert_pem.write_to_path(tmp_path / 'ca.pem')
    monkeypatch.setenv('SSL_CERT_FILE', str(tmp_path / 'ca.pem'))
    for name in ('HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY'):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    with ModelServer(lambda request: Reply('fine'), tls=tls if secure else None) as server:
        done = subprocess.run(
            [sys.executable, '-c', ASK, server.base_url], capture_output=True, text=True, timeout=30, check=False
        )
        assert done.returncode == 0, done.stderr
        assert len(server.requests) == 2
    imported = set(done.stdout.split())
    assert 'httptools' in imported
    assert imported & (FOREIGN | OF_FAILURES_AND_PROXIES) == set()
