"""Vertex AI: the address from project and region, and the token from google-auth, fetched from a server of the
tests.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from syncai.direct import model_request_stream_sync, model_request_sync
from syncai.exceptions import AuthenticationError, MissingKeyError, ModelConnectionError, UserError
from syncai.messages import ModelMessage, ModelRequest, ModelResponse, TextPart, ThinkingPart
from syncai.models import infer_model
from syncai.models._google import token as tokens
from syncai.models.google import GoogleModel, GoogleVertexModel
from syncai.testing import ModelServer, Reply

HELLO: list[ModelMessage] = [ModelRequest.user_text_prompt('hello')]
ANSWER = {'access_token': 'token', 'expires_in': 3600, 'token_type': 'Bearer'}
VARIABLES = ('GOOGLE_CLOUD_PROJECT', 'GCLOUD_PROJECT', 'GOOGLE_CLOUD_LOCATION', 'GOOGLE_CLOUD_REGION')
OTHERS = ('GOOGLE_APPLICATION_CREDENTIALS', 'GOOGLE_VERTEX_BASE_URL', 'GOOGLE_CLOUD_QUOTA_PROJECT')


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*VARIABLES, *OTHERS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(tokens, '_default', tokens.CloudToken())


class TokenServer:
    """Gives tokens as Google's servers do: `answer` returns the status and the body of the next answer."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answer: Callable[[], tuple[int, dict[str, Any]]] = lambda: (200, ANSWER)
        self.url = ''


@pytest.fixture
def token_server() -> Iterator[TokenServer]:
    token_server = TokenServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            token_server.asked.append(self.rfile.read(int(self.headers['content-length'])).decode())
            status, body = token_server.answer()
            self.send_response(status)
            self.send_header('content-type', 'application/json')
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *args: Any) -> None: ...

    server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    token_server.url = f'http://127.0.0.1:{server.server_port}/token'
    thread = threading.Thread(target=server.serve_forever, kwargs={'poll_interval': 0.01})
    thread.start()
    yield token_server
    server.shutdown()
    thread.join()
    server.server_close()


def user_credentials(url: str, **more: Any) -> Any:
    from google.oauth2.credentials import Credentials

    secret = {'refresh_token': 'refresh-secret', 'client_id': 'id', 'client_secret': 'client-secret'}
    return Credentials(token=None, token_uri=url, **secret, **more)  # type: ignore[no-untyped-call]


def vertex(server: ModelServer, credentials: Any = None, **more: Any) -> GoogleVertexModel:
    place = {'project': 'p', 'region': 'europe-west4', 'base_url': f'http://127.0.0.1:{server.port}'}
    return GoogleVertexModel('gemini-3.7-flash', credentials=credentials, **{**place, **more})


# --- the address ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('region', 'host'),
    [
        ('europe-west4', 'europe-west4-aiplatform.googleapis.com'),
        ('global', 'aiplatform.googleapis.com'),
        ('eu', 'aiplatform.eu.rep.googleapis.com'),
    ],
)
def test_the_address_of_a_region(region: str, host: str) -> None:
    model = GoogleVertexModel('models/gemini-3.7-flash', project='p', region=region)
    assert model.base_url == f'https://{host}/v1beta1/projects/p/locations/{region}/publishers/google'
    assert (model.model_name, model.system) == ('gemini-3.7-flash', 'google-vertex')
    model = GoogleVertexModel('gemini-3.7-flash', project='p', region=region, base_url='https://proxy.example/v1')
    assert model.base_url == f'https://proxy.example/v1/projects/p/locations/{region}/publishers/google'


def test_project_and_region_from_the_environment_each_named_when_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r'project=\.\.\. or set GOOGLE_CLOUD_PROJECT; .*set GOOGLE_CLOUD_LOCATION$'):
        infer_model('google-vertex:gemini-3.7-flash')
    monkeypatch.setenv('GOOGLE_CLOUD_PROJECT', 'example.com:from-env')
    with pytest.raises(UserError, match=r'region: pass region=\.\.\. or set GOOGLE_CLOUD_LOCATION$'):
        infer_model('google-vertex:gemini-3.7-flash')
    monkeypatch.setenv('GOOGLE_CLOUD_REGION', 'us-east1')
    model = infer_model('google-vertex:gemini-3.7-flash')
    assert isinstance(model, GoogleVertexModel)
    assert '/projects/example.com:from-env/locations/us-east1/' in model.base_url


@pytest.mark.parametrize('wrong', ['evil.example/', 'a b', 'A', 7])
def test_a_place_that_is_none(wrong: Any) -> None:
    for place in ({'project': wrong, 'region': 'eu'}, {'project': 'p', 'region': wrong}):
        with pytest.raises(UserError, match='must be a name of Google Cloud'):
            GoogleVertexModel('m', **place)


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_namespace(name: str) -> None:
        raise ModuleNotFoundError(name)

    for find in (no_namespace, lambda name: None):
        monkeypatch.setattr(tokens, 'find_spec', find)
        with pytest.raises(UserError, match=r'syncai-client\[vertex\]'):
            GoogleVertexModel('m', project='p', region='eu')


def test_what_are_no_credentials() -> None:
    wrong: Any = 'a token'
    with pytest.raises(UserError, match='credentials of google-auth, not str'):
        GoogleVertexModel('m', project='p', region='eu', credentials=wrong)


# --- the token --------------------------------------------------------------------------------------------------------


def test_many_threads_fetch_one_token(token_server: TokenServer) -> None:
    with ModelServer(Reply('hi')) as server:
        model = vertex(server, user_credentials(token_server.url, quota_project_id='payer'))
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: model_request_sync(model, HELLO).text, range(16)))
        with model_request_stream_sync(model, HELLO) as stream:
            list(stream)
        assert answers == ['hi'] * 16
        assert {request.headers['authorization'] for request in server.requests} == {'Bearer token'}
        assert {request.headers['x-goog-user-project'] for request in server.requests} == {'payer'}
        path = '/v1beta1/projects/p/locations/europe-west4/publishers/google/models/gemini-3.7-flash'
        assert {request.path for request in server.requests} == {
            f'{path}:generateContent',
            f'{path}:streamGenerateContent?alt=sse',
        }
        assert 'x-goog-api-key' not in server.requests[0].headers
    (asked,) = token_server.asked
    assert 'refresh-secret' in asked
    assert 'token' not in repr(model)


def test_an_expired_token_is_replaced(token_server: TokenServer) -> None:
    fresh = iter(range(9))
    token_server.answer = lambda: (200, {**ANSWER, 'access_token': f'token-{next(fresh)}', 'expires_in': 1})
    with ModelServer(Reply('hi')) as server:
        model = vertex(server, user_credentials(token_server.url))
        for _ in range(2):
            model_request_sync(model, HELLO)
        assert [r.headers['authorization'] for r in server.requests] == ['Bearer token-0', 'Bearer token-1']


def test_the_loop_goes_on_while_a_token_is_fetched(token_server: TokenServer) -> None:
    asked, go_on = threading.Event(), threading.Event()

    def slow() -> tuple[int, dict[str, Any]]:
        asked.set()
        go_on.wait(20)
        return 200, ANSWER

    token_server.answer = slow
    with ModelServer(Reply('hi')) as server, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(model_request_sync, vertex(server, user_credentials(token_server.url)), HELLO)
        try:
            assert asked.wait(20)
            other = GoogleModel('gemini-3.7-flash', base_url=server.base_url)
            assert model_request_sync(other, HELLO).text == 'hi'
            assert not waiting.done()
        finally:
            go_on.set()
        assert waiting.result(20).text == 'hi'


def test_a_call_that_is_left_while_its_token_is_fetched_holds_up_nobody(token_server: TokenServer) -> None:
    asked, go_on = threading.Event(), threading.Event()

    def slow_at_first() -> tuple[int, dict[str, Any]]:
        if not asked.is_set():
            asked.set()
            go_on.wait(20)
        return 200, ANSWER

    token_server.answer = slow_at_first
    with ModelServer(Reply('hi')) as server:
        model = vertex(server, user_credentials(token_server.url))
        try:
            with model_request_stream_sync(model, HELLO):
                assert asked.wait(20)
            assert model_request_sync(model, HELLO).text == 'hi'
        finally:
            go_on.set()
        assert len(server.requests) == 1


def test_credentials_that_google_refuses(token_server: TokenServer) -> None:
    token_server.answer = lambda: (400, {'error': 'invalid_grant', 'error_description': 'Bad Request'})
    with ModelServer(Reply('hi')) as server:
        with pytest.raises(AuthenticationError, match='gcloud auth application-default login') as caught:
            model_request_sync(vertex(server, user_credentials(token_server.url)), HELLO)
        assert server.requests == []
    assert 'invalid_grant' in str(caught.value)
    assert 'secret' not in str(caught.value)
    assert (caught.value.provider, caught.value.model_name) == ('google-vertex', 'gemini-3.7-flash')
    assert caught.value.__cause__ is None


def test_a_token_server_that_cannot_be_reached() -> None:
    with ModelServer() as gone:
        url = f'http://127.0.0.1:{gone.port}/token'
    with ModelServer(Reply('hi')) as server, pytest.raises(ModelConnectionError, match='token of Google Cloud'):
        model_request_sync(vertex(server, user_credentials(url)), HELLO)


def test_a_token_that_vertex_refuses(token_server: TokenServer) -> None:
    refused = pytest.raises(AuthenticationError, match='gcloud auth application-default login')
    with ModelServer([Reply(status=401)]) as server, refused:
        model_request_sync(vertex(server, user_credentials(token_server.url)), HELLO)


def test_a_token_of_ones_own_in_a_header() -> None:
    with ModelServer(Reply('hi')) as server:
        headers = {'Authorization': 'Bearer mine'}
        model_request_sync(vertex(server), HELLO, model_settings={'extra_headers': headers})
        assert server.requests[0].headers['authorization'] == 'Bearer mine'


# --- the credentials that google-auth finds ---------------------------------------------------------------------------


@contextmanager
def service_account(token_uri: str, directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    kind = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    account = {
        'type': 'service_account',
        'client_email': 'me@p.iam.gserviceaccount.com',
        'private_key': key.private_bytes(*kind).decode(),
        'private_key_id': 'k',
        'project_id': 'p',
        'token_uri': token_uri,
    }
    path = directory / 'account.json'
    path.write_text(json.dumps(account))
    monkeypatch.setenv('GOOGLE_APPLICATION_CREDENTIALS', str(path))
    yield


def test_all_models_share_the_token_of_the_default_credentials(
    token_server: TokenServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with service_account(token_server.url, tmp_path, monkeypatch), ModelServer(Reply('hi')) as server:
        for _ in range(3):
            assert model_request_sync(vertex(server), HELLO).text == 'hi'
        assert {request.headers['authorization'] for request in server.requests} == {'Bearer token'}
    assert len(token_server.asked) == 1


def test_no_credentials_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('CLOUDSDK_CONFIG', str(tmp_path))
    monkeypatch.setenv('NO_GCE_CHECK', 'true')
    with ModelServer(Reply('hi')) as server, pytest.raises(MissingKeyError, match='GOOGLE_APPLICATION_CREDENTIALS'):
        model_request_sync(vertex(server), HELLO)


# --- what is particular to it -----------------------------------------------------------------------------------------


def test_thoughts_of_the_gemini_api_are_those_of_another_provider() -> None:
    thought = ThinkingPart('hm', signature='s', provider_name='google')
    answer = ModelResponse([thought, TextPart('a')], provider_name='google')
    with ModelServer(Reply('hi')) as server:
        settings: Any = {'extra_headers': {'authorization': 'Bearer mine'}, 'google_labels': {'team': 'a'}}
        model_request_sync(vertex(server), [*HELLO, answer, *HELLO], model_settings=settings)
        body = server.requests[0].json
    assert body['contents'][1] == {'role': 'model', 'parts': [{'text': 'a'}]}
    assert body['labels'] == {'team': 'a'}
