"""The messages of HTTP errors: one line with what happened, the provider's words, and the remedy."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from syncai import ModelRequest, model_request_sync
from syncai.exceptions import BadRequestError, ContextWindowExceeded, ModelHTTPError, RateLimitError
from syncai.models.openai import OpenAIChatModel
from syncai.settings import HttpOptions
from syncai.testing import ModelServer, Reply

# The forms are those of the providers' documentation:
OPENAI = {  # https://platform.openai.com/docs/guides/error-codes
    'error': {'message': 'You exceeded your current quota.', 'type': 'insufficient_quota', 'code': 'insufficient_quota'}
}
ANTHROPIC = {  # https://docs.anthropic.com/en/api/errors
    'type': 'error',
    'error': {'type': 'overloaded_error', 'message': 'Overloaded'},
    'request_id': 'req_1',
}
GOOGLE = [{'error': {'code': 400, 'message': 'API key not valid.', 'status': 'INVALID_ARGUMENT'}}]  # of streams: a list
AWS = {'message': 'The security token included in the request is invalid.'}
FASTAPI = {'detail': [{'loc': ['body', 'model'], 'msg': 'field required', 'type': 'value_error.missing'}]}  # vLLM
PROBLEM = {'type': 'about:blank', 'title': 'Bad Gateway', 'status': 502}  # RFC 9457
OLLAMA = {'error': 'model "x" not found, try pulling it first'}
PAGE = '<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1><hr>nginx</body></html>'


@pytest.mark.parametrize(
    ('status', 'body', 'words'),
    [
        (429, OPENAI, 'You exceeded your current quota. [insufficient_quota]'),
        (529, ANTHROPIC, 'Overloaded [overloaded_error]'),
        (400, GOOGLE, 'API key not valid.'),
        (403, AWS, 'The security token included in the request is invalid.'),
        (422, FASTAPI, 'field required'),
        (502, PROBLEM, 'Bad Gateway'),
        (404, OLLAMA, 'model "x" not found, try pulling it first'),
        (502, PAGE, '502 Bad Gateway nginx'),
        (500, 'upstream connect error', 'upstream connect error'),
        (500, {'strange': ['shape', 7]}, '{"strange": ["shape", 7]}'),
    ],
)
def test_the_words_of_a_provider_wherever_they_stand(status: int, body: Any, words: str) -> None:
    error = ModelHTTPError.of(status, 'm', body, provider='p')
    assert words in str(error)
    assert error.body == body
    assert '\n' not in str(error)
    assert f'(status {status})' in str(error)
    assert str(error).startswith('p (m) ')


@pytest.mark.parametrize(
    ('status', 'beginning', 'end'),
    [
        (302, 'p (m) sent a redirect (status 302)', 'Correct base_url.'),
        (400, 'p (m) refused the request (status 400)', 'Correct the request.'),
        (401, 'p (m) did not accept the API key (status 401)', 'Correct the key.'),
        (402, 'p (m) asks for payment (status 402)', 'Add credit there.'),
        (404, 'p (m) does not know the model or the address (status 404)', "Correct the model's name or base_url."),
        (429, 'p (m) takes no more requests at the moment (status 429)', 'Try again later, or send fewer at a time.'),
        (500, 'p (m) failed (status 500)', 'Try again later.'),
        (503, 'p (m) is overloaded (status 503)', 'Try again later.'),
        (418, 'p (m) answered with an error (status 418)', 'Correct the request, or try again later.'),
    ],
)
def test_what_happened_and_what_to_do(status: int, beginning: str, end: str) -> None:
    said = str(ModelHTTPError.of(status, 'm', {'error': {'message': 'some words'}}, provider='p'))
    assert said == f'{beginning}: some words. {end}'
    assert str(ModelHTTPError.of(status, 'm', provider='p')) == f'{beginning}. {end}'


def test_what_is_known_of_the_failure_is_said() -> None:
    error = ModelHTTPError.of(429, 'm', {'message': 'Slow down'}, provider='p', attempts=3, retry_after=2.5)
    assert str(error) == (
        'p (m) takes no more requests at the moment (status 429, 3 attempts): Slow down. Try again in 2.5 s.'
    )
    assert str(RateLimitError(429, 'm', OPENAI)).endswith('Add credit there: waiting does not help.')
    assert str(ModelHTTPError(500)) == 'The provider answered with an error (status 500). Correct the request, ' + (
        'or try again later.'
    )
    hinted = ContextWindowExceeded(413, 'm', {'error': 'too long'}, provider='p', hint='Shorten it.')
    assert str(hinted) == 'p (m) refused the request (status 413): too long. Shorten it.'


def test_a_message_is_bounded_and_printable() -> None:
    said = str(BadRequestError(400, 'm', {'error': {'message': 'a\x1b[31m\u202eb\n\n c' + 'x' * 10_000}}))
    assert r'a\x1b[31m\u202eb c' in said
    assert len(said) < 700
    deep: Any = 'end'
    for _ in range(2000):
        deep = {'error': deep}
    assert len(str(BadRequestError(400, 'm', [deep, deep]))) < 700


def test_an_error_travels_with_its_message_and_body() -> None:
    error = ModelHTTPError.of(400, 'm', OPENAI, provider='p', attempts=2)
    for same in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert (str(same), same.body, same.status_code, same.attempts) == (str(error), OPENAI, 400, 2)


def test_over_the_wire_with_the_key_to_correct() -> None:
    body = b'{"error": {"message": "Incorrect API key provided: sk-...", "code": "invalid_api_key"}}'
    with ModelServer(Reply(status=401, body=body, content_type='application/json')) as server:
        model = OpenAIChatModel('m', base_url=server.base_url, http=HttpOptions(max_retries=0))
        with pytest.raises(ModelHTTPError) as raised:
            model_request_sync(model, [ModelRequest.user_text_prompt('Hi')])
    assert str(raised.value) == (
        'openai (m) did not accept the API key (status 401): Incorrect API key provided: sk-... [invalid_api_key]. '
        'Correct OPENAI_API_KEY, or pass api_key=...'
    )
