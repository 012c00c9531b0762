"""The promises of SECURITY.md about certificates, redirects, arguments, histories, listening and downloads."""

from __future__ import annotations

import ast
import datetime
import pickle
import re
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme

from syncai import Agent, DocumentUrl, HttpOptions, ModelRequest, UserError, model_request_sync
from syncai.exceptions import ModelConnectionError, ModelHTTPError
from syncai.messages import ModelMessagesTypeAdapter
from syncai.models.anthropic import AnthropicModel
from syncai.models.google import GoogleModel
from syncai.models.openai import OpenAIChatModel
from syncai.models.openai_responses import OpenAIResponsesModel
from syncai.testing import ModelServer, Reply, ToolCall

ROOT = Path(__file__).parent.parent
KEY = 'sk-security-0123456789'
QUESTION = [ModelRequest.user_text_prompt('hi')]
KINDS: list[Any] = [OpenAIChatModel, OpenAIResponsesModel, AnthropicModel, GoogleModel]
EVERY = pytest.mark.parametrize('kind', KINDS, ids=lambda kind: kind.__name__)


def server_context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def asked_over_tls(certificate: trustme.LeafCert, verify: bool | str, host: str = '127.0.0.1') -> ModelConnectionError:
    with ModelServer(Reply('hello'), tls=server_context(certificate)) as server:
        url = server.base_url.replace('127.0.0.1', host)
        model = OpenAIChatModel('m', base_url=url, api_key=KEY, http=HttpOptions(verify=verify))
        with pytest.raises(ModelConnectionError) as caught:
            model_request_sync(model, QUESTION)
        assert server.requests == []  # nothing was sent, the key least of all
        return caught.value


def bundle_of(authority: trustme.CA, folder: Path) -> str:
    path = folder / 'ca.pem'
    authority.cert_pem.write_to_path(path)
    return str(path)


def test_tls_works_with_the_right_authority_and_host(tmp_path: Path) -> None:
    authority = trustme.CA()
    with ModelServer(Reply('hello'), tls=server_context(authority.issue_cert('127.0.0.1'))) as server:
        http = HttpOptions(verify=bundle_of(authority, tmp_path))
        model = OpenAIChatModel('m', base_url=server.base_url, api_key=KEY, http=http)
        assert model_request_sync(model, QUESTION).text == 'hello'


def test_tls_refuses_the_certificate_of_another_host(tmp_path: Path) -> None:
    authority = trustme.CA()
    error = asked_over_tls(authority.issue_cert('another.example'), bundle_of(authority, tmp_path))
    assert 'its certificate is not accepted' in str(error)
    assert 'mismatch' in str(error)
    error = asked_over_tls(authority.issue_cert('another.example'), bundle_of(authority, tmp_path), 'localhost')
    assert 'Hostname mismatch' in str(error)


def test_tls_refuses_an_expired_certificate(tmp_path: Path) -> None:
    authority = trustme.CA()
    past = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    expired = authority.issue_cert('127.0.0.1', not_after=past)
    assert 'certificate has expired' in str(asked_over_tls(expired, bundle_of(authority, tmp_path)))


def test_tls_refuses_a_certificate_of_an_unknown_authority() -> None:
    error = asked_over_tls(trustme.CA().issue_cert('127.0.0.1'), True)
    assert 'its certificate is not accepted' in str(error)
    assert "HttpOptions(verify='/path/of/ca.pem')" in str(error)  # the remedy
    assert error.attempts == 1  # another attempt would not help


def test_tls_refuses_a_self_signed_certificate() -> None:
    itself = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with itself.cert_pem.tempfile() as certificate, itself.private_key_pem.tempfile() as key:
        context.load_cert_chain(certificate, key)
    with ModelServer(Reply('hello'), tls=context) as server:
        model = OpenAIChatModel('m', base_url=server.base_url, api_key=KEY)
        with pytest.raises(ModelConnectionError, match=r'self.signed certificate'):
            model_request_sync(model, QUESTION)
        assert server.requests == []


@EVERY
@pytest.mark.parametrize('status', [301, 302, 303, 307, 308])
def test_a_key_follows_no_redirect(kind: Any, status: int) -> None:
    with ModelServer(Reply('stolen')) as elsewhere:
        there = Reply(status=status, headers={'location': f'{elsewhere.base_url}/chat/completions'})
        with ModelServer(there) as server:
            model = kind('m', base_url=server.base_url, api_key=KEY)
            with pytest.raises(ModelHTTPError, match='Redirects are not followed'):
                model_request_sync(model, QUESTION)
        assert elsewhere.connections_accepted == 0


WRONG = ['{"path": 7}', '{}', '[]', '{"path": "a", "more": 1}', '{"path": "a"', 'null', '{"path": ["a"]}']


@EVERY
@pytest.mark.parametrize('streamed', [False, True], ids=['whole', 'streamed'])
def test_a_tool_never_sees_invalid_arguments(kind: Any, streamed: bool) -> None:
    seen = []
    replies = [Reply(tool_calls=[ToolCall('delete', args)]) for args in WRONG]
    with ModelServer([*replies, Reply(tool_calls=[ToolCall('delete', {'path': 'a'})]), Reply('done')]) as server:
        agent = Agent(kind('m', base_url=server.base_url, api_key=KEY), retries=len(WRONG) + 1)

        @agent.tool_plain
        def delete(path: str) -> str:
            seen.append(path)
            return 'deleted'

        if streamed:
            with agent.run_stream_sync('hi') as stream:
                assert stream.get_data() == 'done'
        else:
            assert agent.run_sync('hi').data == 'done'
    assert seen == ['a']


class Trap:
    """Unpickling this runs a command."""

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        import os

        return os.system, ('touch trapped',)


def test_histories_load_from_json_and_never_from_pickles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert ModelMessagesTypeAdapter.validate_json(ModelMessagesTypeAdapter.dump_json(list(QUESTION))) == QUESTION
    for load in (ModelMessagesTypeAdapter.validate_json, ModelMessagesTypeAdapter.validate_python):
        with pytest.raises(ValueError):
            load(pickle.dumps([Trap()]))
    assert list(tmp_path.iterdir()) == []


def test_nothing_in_the_package_unpickles_but_the_test_server() -> None:
    loaders = {
        str(path.relative_to(ROOT))
        for path in (ROOT / 'syncai').rglob('*.py')
        if re.search(
            r'pickle\.loads?\(|Unpickler|shelve|marshal\.loads?\(|yaml\.load\(|\beval\(|\bexec\(', path.read_text()
        )
    }
    assert loaders <= {
        'syncai/testing/_process.py',  # between it and its own child, over a pipe
        'syncai/contrib/ray.py',  # what this process has pickled itself, a moment ago
        'syncai/_base/frozen.py',  # executes constructors that it writes of the names of fields, as dataclasses does
    }


@pytest.mark.skipif(not hasattr(socket, 'if_nameindex'), reason='no list of interfaces')
def test_the_model_server_listens_on_loopback_only() -> None:
    with ModelServer() as server, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        assert server.base_url.startswith('http://127.0.0.1:')
        try:
            probe.connect(('192.0.2.1', 9))  # sends nothing: only chooses the interface
            outside = probe.getsockname()[0]
        except OSError:
            outside = '127.0.0.2'
        with pytest.raises(OSError):
            socket.create_connection((outside, server.port), timeout=1)


@pytest.mark.parametrize('host', ['127.0.0.1', 'localhost', '10.0.0.1', '169.254.169.254', '[::1]', '192.168.1.1'])
def test_downloads_refuse_private_addresses(host: str) -> None:
    with ModelServer(Reply('seen')) as server, ModelServer() as inside:
        model = OpenAIChatModel('m', base_url=server.base_url, api_key=KEY)
        with pytest.raises(UserError, match='not a public address'):
            Agent(model).run_sync(['What is this?', DocumentUrl(f'http://{host}:{inside.port}/paper.pdf')])
        assert inside.connections_accepted == 0
        assert server.requests == []


def named_in(text: str) -> set[tuple[str, str]]:
    return set(re.findall(r'`(tests/(?:\w+/)*test_\w+\.py)::(test_\w+)`', text))


def test_every_promise_of_security_md_names_a_test_that_exists() -> None:
    text = (ROOT / 'SECURITY.md').read_text()
    table = [line for line in text.splitlines() if line.startswith('| ') and 'promise' not in line]
    assert len(table) > 8
    assert [line for line in table if not named_in(line)] == []
    for file, name in named_in(text):
        functions = {
            node.name for node in ast.parse((ROOT / file).read_text()).body if isinstance(node, ast.FunctionDef)
        }
        assert name in functions, f'{file}::{name}'
