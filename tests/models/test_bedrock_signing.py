"""Who pays for a request to Bedrock: keys of the environment, profiles, processes, bearer keys; signatures checked."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from syncai.direct import model_request, model_request_stream_sync, model_request_sync
from syncai.exceptions import AuthenticationError, MissingKeyError, UserError
from syncai.messages import ModelMessage, ModelRequest
from syncai.models.bedrock import BedrockModel
from syncai.settings import HttpOptions
from syncai.testing import ModelServer, RecordedRequest, Reply

NAME = 'us.anthropic.claude-sonnet-4-5-20250929-v1:0'
HELLO: list[ModelMessage] = [ModelRequest.user_text_prompt('héllo')]
SECRET = 'wJalrXUtnFEMI-secret'


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ('AWS_REGION', 'AWS_DEFAULT_REGION', 'AWS_PROFILE', 'AWS_BEARER_TOKEN_BEDROCK', 'AWS_SESSION_TOKEN'):
        monkeypatch.delenv(name, raising=False)
    for name in ('AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_ENDPOINT_URL'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv('AWS_CONFIG_FILE', str(tmp_path / 'config'))
    monkeypatch.setenv('AWS_SHARED_CREDENTIALS_FILE', str(tmp_path / 'credentials'))
    monkeypatch.setenv('AWS_EC2_METADATA_DISABLED', 'true')


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('AWS_ACCESS_KEY_ID', 'AKIDEXAMPLE')
    monkeypatch.setenv('AWS_SECRET_ACCESS_KEY', SECRET)


def model(server: ModelServer, **options: Any) -> BedrockModel:
    options = {'region': 'eu-central-1', 'base_url': server.base_url, 'http': HttpOptions(max_retries=0), **options}
    return BedrockModel(NAME, **options)


def check_signature(request: RecordedRequest, key_id: str, secret: str, region: str = 'eu-central-1') -> None:
    """The rules of https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html."""
    kind, _, fields = request.headers['authorization'].partition(' ')
    given = dict(field.split('=', 1) for field in fields.split(', '))
    when = request.headers['x-amz-date']
    scope = f'{when[:8]}/{region}/bedrock/aws4_request'
    assert (kind, given['Credential']) == ('AWS4-HMAC-SHA256', f'{key_id}/{scope}')
    signed = given['SignedHeaders'].split(';')
    assert {'content-type', 'host', 'x-amz-date'} <= set(signed)
    canonical = '\n'.join(
        [
            request.method,
            quote(request.path, safe='/~'),  # encoded twice: once by the client, once more here
            '',
            *(f'{name}:{request.headers[name].strip()}' for name in signed),
            '',
            given['SignedHeaders'],
            hashlib.sha256(request.body).hexdigest(),
        ]
    )
    key = f'AWS4{secret}'.encode()
    for part in scope.split('/'):
        key = hmac.digest(key, part.encode(), 'sha256')
    to_sign = f'AWS4-HMAC-SHA256\n{when}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}'
    assert given['Signature'] == hmac.digest(key, to_sign.encode(), 'sha256').hex()
    assert abs(datetime.strptime(when, '%Y%m%dT%H%M%S%z') - datetime.now(UTC)) < timedelta(minutes=1)


def test_requests_are_signed_with_the_keys_of_the_environment(keys: None) -> None:
    with ModelServer(Reply('hi')) as server:
        asked = model(server)
        assert model_request_sync(asked, HELLO).text == 'hi'
        with model_request_stream_sync(asked, HELLO, model_settings={'extra_headers': {'X-Amz-Extra': '1'}}) as stream:
            list(stream)
        assert asyncio.run(model_request(asked, HELLO)).text == 'hi'
    for request in server.requests:
        check_signature(request, 'AKIDEXAMPLE', SECRET)
    paths = [request.path for request in server.requests]
    assert paths[:2] == [
        '/v1/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse',
        '/v1/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse-stream',
    ]
    assert 'x-amz-extra' in server.requests[1].headers['authorization']
    assert server.requests[1].headers['accept'] == 'application/vnd.amazon.eventstream'


def test_the_token_of_temporary_keys_is_signed_too(keys: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('AWS_SESSION_TOKEN', 'temporary-token')
    with ModelServer(Reply('hi')) as server:
        model_request_sync(model(server), HELLO)
    (request,) = server.requests
    assert request.headers['x-amz-security-token'] == 'temporary-token'
    assert 'x-amz-security-token' in request.headers['authorization']
    check_signature(request, 'AKIDEXAMPLE', SECRET)


def test_the_name_of_a_resource_is_encoded(keys: None) -> None:
    arn = 'arn:aws:bedrock:eu-central-1:123456789012:inference-profile/eu.amazon.nova-pro-v1:0'
    with ModelServer(Reply('hi')) as server:
        made = BedrockModel(arn, region='eu-central-1', base_url=server.base_url)
        model_request_sync(made, HELLO)
    (request,) = server.requests
    assert request.path == f'/v1/model/{quote(arn, safe="")}/converse'
    check_signature(request, 'AKIDEXAMPLE', SECRET)


def test_a_profile_gives_keys_and_region(tmp_path: Path, keys: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('AWS_REGION', 'us-east-1')
    (tmp_path / 'credentials').write_text('[work]\naws_access_key_id=AKIDWORK\naws_secret_access_key=other-secret\n')
    (tmp_path / 'config').write_text('[profile work]\nregion = ap-northeast-1\n')
    with ModelServer(Reply('hi')) as server:
        model_request_sync(model(server, region=None, profile='work'), HELLO)
    check_signature(server.requests[0], 'AKIDWORK', 'other-secret', 'ap-northeast-1')
    with pytest.raises(UserError, match='nobody'):
        BedrockModel(NAME, profile='nobody')


PROCESS = """
import json, pathlib, sys
log = pathlib.Path(sys.argv[1])
count = len(log.read_text()) if log.exists() else 0
log.write_text('x' * (count + 1))
print(json.dumps({'Version': 1, 'AccessKeyId': f'AKID{count}', 'SecretAccessKey': 's' * 8, 'SessionToken': 't',
                  'Expiration': sys.argv[2]}))
"""


@pytest.mark.slow
@pytest.mark.parametrize(('minutes', 'fetched'), [(60, 1), (1, 3)])
def test_keys_that_expire_are_fetched_again(tmp_path: Path, minutes: int, fetched: int) -> None:
    program, log = tmp_path / 'keys.py', tmp_path / 'log'
    program.write_text(PROCESS)
    expires = (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat()
    command = f'{sys.executable} {program} {log} {expires}'
    (tmp_path / 'config').write_text(f'[default]\nregion = eu-central-1\ncredential_process = {command}\n')
    with ModelServer(Reply('hi')) as server:
        asked = model(server, region=None)
        threads = [threading.Thread(target=model_request_sync, args=(asked, HELLO)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        model_request_sync(asked, HELLO)
    assert len(server.requests) == 9
    count = len(log.read_text())
    assert count == 1 if fetched == 1 else count >= fetched
    last = server.requests[-1]
    check_signature(last, f'AKID{count - 1}', 's' * 8)


def test_a_process_that_gives_no_keys(tmp_path: Path) -> None:
    command = f'{sys.executable} -c "raise SystemExit(3)"'
    (tmp_path / 'config').write_text(f'[default]\ncredential_process = {command}\n')
    with ModelServer(Reply('hi')) as server, pytest.raises(AuthenticationError, match='AWS gave no credentials'):
        model_request_sync(model(server), HELLO)
    assert server.requests == []


def test_credentials_of_ones_own_are_fetched_where_they_may_wait() -> None:
    where: list[str] = []

    class Frozen:
        access_key, secret_key, token = 'AKIDOWN', 'own-secret', None

    class Own:
        def refresh_needed(self) -> bool:
            return not where

        def get_frozen_credentials(self) -> Any:
            where.append(threading.current_thread().name)
            return Frozen()

    with ModelServer(Reply('hi')) as server:
        asked = model(server, credentials=Own())
        model_request_sync(asked, HELLO)
        model_request_sync(asked, HELLO)
    check_signature(server.requests[1], 'AKIDOWN', 'own-secret')
    assert where[0].startswith('syncai-worker')
    assert where[1] == 'syncai-loop'


def test_a_bearer_key(monkeypatch: pytest.MonkeyPatch, keys: None, tmp_path: Path) -> None:
    (tmp_path / 'credentials').write_text('[work]\naws_access_key_id=AKID\naws_secret_access_key=other\n')
    with ModelServer(Reply('hi')) as server:
        model_request_sync(BedrockModel(NAME, base_url=server.base_url, api_key='bedrock-api-key-1'), HELLO)
        monkeypatch.setenv('AWS_BEARER_TOKEN_BEDROCK', 'bedrock-api-key-2')
        model_request_sync(model(server), HELLO)
        model_request_sync(model(server, profile='work'), HELLO)
    given = [request.headers['authorization'] for request in server.requests]
    assert given[:2] == ['Bearer bedrock-api-key-1', 'Bearer bedrock-api-key-2']
    assert given[2].startswith('AWS4-HMAC-SHA256')  # a profile that was named wins over the environment's key


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"region='us-east-1', set AWS_REGION, or set one in the profile"):
        BedrockModel(NAME, api_key='k')
    with ModelServer(Reply('hi')) as server:
        with pytest.raises(UserError, match='needs a region'):
            BedrockModel(NAME, base_url=server.base_url)  # what is signed names the region
        with pytest.raises(MissingKeyError, match='AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE'):
            model_request_sync(model(server), HELLO)
        monkeypatch.setenv('AWS_ACCESS_KEY_ID', 'AKID')
        with pytest.raises(MissingKeyError, match='Partial credentials'):
            model_request_sync(model(server), HELLO)
        assert server.requests == []


def test_wrong_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    for options, words in (
        ({'region': 'Frankfurt'}, 'region must be a name'),
        ({'region': 'eu-west-1', 'credentials': 'AKID'}, 'credentials of botocore'),
        ({'region': 'eu-west-1', 'profile': 'p', 'api_key': 'k'}, 'pass one of them'),
    ):
        with pytest.raises(UserError, match=words):
            BedrockModel(NAME, **options)  # type: ignore[arg-type]
    monkeypatch.setattr('syncai.models._bedrock.signing.find_spec', lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'syncai-client\[bedrock\]'"):
        BedrockModel(NAME, region='eu-west-1')
    assert BedrockModel(NAME, region='eu-west-1', api_key='k').base_url.endswith('eu-west-1.amazonaws.com')


def test_the_address_of_a_region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('AWS_DEFAULT_REGION', 'us-west-2')
    assert BedrockModel(NAME).base_url == 'https://bedrock-runtime.us-west-2.amazonaws.com'
    monkeypatch.setenv('AWS_REGION', 'cn-north-1')
    assert BedrockModel(NAME).base_url == 'https://bedrock-runtime.cn-north-1.amazonaws.com.cn'
    monkeypatch.setenv('AWS_ENDPOINT_URL_BEDROCK_RUNTIME', 'https://vpce-1.example.com')
    assert BedrockModel(NAME).base_url == 'https://vpce-1.example.com'


def test_no_error_shows_a_secret(keys: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('AWS_SESSION_TOKEN', 'temporary-token-of-mine')
    echo = json.dumps({'message': 'The security token temporary-token-of-mine is invalid'})
    headers = {'x-amzn-errortype': 'UnrecognizedClientException:http://internal.amazon.com/'}
    with ModelServer(Reply(status=403, headers=headers, body=echo)) as server:
        asked = model(server)
        with pytest.raises(AuthenticationError) as caught:
            model_request_sync(asked, HELLO)
    shown = f'{caught.value}{vars(caught.value)}{asked!r}{vars(asked)}'
    assert 'temporary-token-of-mine' not in shown
    assert SECRET not in shown
    assert 'AWS does not accept the credentials' in shown
