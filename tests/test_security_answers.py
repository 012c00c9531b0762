"""The text of a server's answer is shown without the secrets of the request, and without control characters."""

from __future__ import annotations

import base64
import html
import json
import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from syncai import HttpOptions, ModelRequest, model_request_stream_sync, model_request_sync
from syncai.exceptions import AgentRunError, BadRequestError, UnexpectedModelBehavior
from syncai.models import Model
from syncai.models.anthropic import AnthropicModel
from syncai.models.google import GoogleModel
from syncai.models.openai import OpenAIChatModel
from syncai.testing import ModelServer, RecordedRequest, Reply

HELLO = [ModelRequest.user_text_prompt('Hi')]
ONCE = HttpOptions(max_retries=0)
# Headers of gateways: Helicone, Portkey, Cloudflare Access and AI Gateway, Kong, an unknown one of a company.
SECRETS = {
    'Helicone-Auth': 'Bearer sk-helicone-0123456789',
    'x-portkey-api-key': 'pk-portkey/0123456789=',
    'CF-Access-Client-Secret': 'abcdefghijklmnop',
    'cf-aig-authorization': 'Bearer cf-0123456789',
    'apikey': 'kong-0123456789',
    'X-Corp': 'quite-secret-"quoted"-value',
    'Cookie': 'session=0123456789abcdef',
    'X-Pin': '12345678',
}
HIDDEN = [
    'sk-helicone-0123456789',
    'pk-portkey/0123456789=',
    'abcdefghijklmnop',
    'cf-0123456789',
    'kong-0123456789',
    'quite-secret-',
    'session=0123456789abcdef',
    '12345678',
]
MAKERS: dict[str, Callable[..., Model]] = {
    'chat': lambda url: OpenAIChatModel('m', base_url=url, http=ONCE),
    'anthropic': lambda url: AnthropicModel('m', base_url=url, http=ONCE),
    'google': lambda url: GoogleModel('m', base_url=url, http=ONCE),
}


def echoing(status: int) -> Callable[[RecordedRequest], Reply]:
    """A server that repeats the headers of a request in its headers and in its body."""

    def reply(request: RecordedRequest) -> Reply:
        repeated = {'x-ratelimit-note': ' '.join(request.headers.values())} if status >= 400 else {}
        return Reply(status=status, headers=repeated, body={'error': {'message': dict(request.headers)}})

    return reply


def ask(of: Model, stream: bool, **settings: Any) -> Any:
    if not stream:
        return model_request_sync(of, HELLO, model_settings=settings)  # type: ignore[arg-type]
    with model_request_stream_sync(of, HELLO, model_settings=settings) as events:  # type: ignore[arg-type]
        list(events)
        return events.get()


@pytest.mark.parametrize('stream', [False, True])
@pytest.mark.parametrize('status', [200, 400, 401, 500])
@pytest.mark.parametrize('maker', MAKERS)
def test_no_value_of_extra_headers_that_an_answer_repeats(
    maker: str, status: int, stream: bool, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    with ModelServer(echoing(status)) as server, pytest.raises(AgentRunError) as caught:
        ask(MAKERS[maker](server.base_url), stream, extra_headers=SECRETS)
    shown = f'{caught.value}{caught.value!r}{caught.value.__dict__}{caplog.text}{capfd.readouterr()}'
    assert '***' in shown
    assert [value for value in HIDDEN if value in shown] == []


WRITERS: dict[str, Callable[[str], str]] = {
    'JSON': lambda text: json.dumps(text)[1:-1],
    'JSON of PHP': lambda text: json.dumps(text)[1:-1].replace('/', r'\/'),
    'JSON of Go': lambda text: json.dumps(text)[1:-1].replace('&', r'\u0026').replace('<', r'\u003c'),
    'JSON of .NET': lambda text: json.dumps(text)[1:-1].replace('+', r'\u002B').replace('&', r'\u0026'),
    'JSON, all escaped': lambda text: ''.join(f'\\u{ord(sign):04x}' for sign in text),
    'an address': lambda text: json.dumps(quote(text, safe=''))[1:-1],
    'HTML': lambda text: json.dumps(html.escape(text))[1:-1],
}


@pytest.mark.parametrize('secret', ['tenant/with+slash=0123', 'a&b<c>0123456', 'quo"te0123456', "it's-0123456"])
@pytest.mark.parametrize('writer', WRITERS)
def test_a_value_that_is_written_in_another_way(writer: str, secret: str) -> None:
    body = f'{{"error": {{"message": "bad header: {WRITERS[writer](secret)}"}}}}'
    with ModelServer(Reply(status=400, body=body)) as server, pytest.raises(BadRequestError) as caught:
        ask(MAKERS['chat'](server.base_url), False, extra_headers={'X-Tenant': secret})
    shown = f'{caught.value}{caught.value!r}{caught.value.__dict__}'
    assert '***' in shown
    for form in (secret, quote(secret, safe=''), html.escape(secret), json.dumps(secret)[1:-1]):
        assert form not in shown


BASE64: dict[str, Callable[[bytes], bytes]] = {
    'standard': base64.b64encode,
    'for addresses': base64.urlsafe_b64encode,
    'without padding': lambda text: base64.b64encode(text).rstrip(b'='),
    'of MIME': base64.encodebytes,
    'quoted': lambda text: quote(base64.b64encode(text), safe='').encode(),
}
ENCODED = {
    'X-Secret-1': 'sk-0123456789-abcdefghij',
    'X-Secret-2': 'a~?>~?>~?>~?>~',
    'X-Secret-3': 'Bearer ' + 'k' * 150,
    'X-Pass': 'two words-0123',
}


@pytest.mark.parametrize('encoder', BASE64)
@pytest.mark.parametrize('answer', ['error', 'text', 'header', 'event', 'JSON of another shape', 'a page'])
def test_a_value_in_base64_at_every_place_of_a_longer_text(encoder: str, answer: str) -> None:
    """RFC 4648: three bytes are four characters, so that a secret has three forms, by the number of bytes before it."""
    secrets = [secret.rpartition('Bearer ')[2].encode() for secret in ENCODED.values()]
    around = [(before, after) for before in (b'', b'u', b'u:', b'u1:') for after in (b'', b'!', b'!!')]
    texts = [before + secret + after for secret in secrets for before, after in around]
    forms = [BASE64[encoder](text).decode() for text in texts]
    with ModelServer(_saying(answer, forms)) as server, pytest.raises(AgentRunError) as caught:
        ask(MAKERS['chat'](server.base_url), answer == 'event', extra_headers=ENCODED)
    shown = f'{caught.value}{caught.value!r}{vars(caught.value)}'.replace('\\n', '').replace('\n', '')
    assert '***' in shown
    cores = {form.replace('\n', '').rstrip('=')[4:-4] for form in forms}
    assert [core for core in cores if core in shown] == []


def _saying(answer: str, forms: list[str]) -> Reply:
    words = ' , '.join(forms)
    match answer:
        case 'error':
            return Reply(status=400, body={'error': {'message': words, 'param': forms}})
        case 'text':
            return Reply(status=400, body=words, content_type='text/plain')
        case 'header':
            return Reply(status=429, headers={'x-ratelimit-note': words.replace('\n', '')}, body={})
        case 'event':
            event = json.dumps({'error': {'message': words}})
            return Reply(body=f'data: {event}\n\n', content_type='text/event-stream')
        case 'JSON of another shape':
            return Reply(body={'said': words})
        case _:
            return Reply(body=f'<html>{words}', content_type='text/html')


@pytest.mark.parametrize(
    'shown_as', ['user:pass-0123456', 'pass-0123456', 'dXNlcjpwYXNzLTAxMjM0NTY', 'cGFzcy0wMTIzNDU2']
)
def test_name_and_password(shown_as: str) -> None:
    """Of RFC 7617, however a gateway that reads them repeats them."""
    reply = Reply(status=401, body={'error': {'message': f'unknown: {shown_as}'}})
    with ModelServer(reply) as server, pytest.raises(AgentRunError) as caught:
        ask(MAKERS['chat'](server.base_url), False, extra_headers={'Authorization': 'Basic dXNlcjpwYXNzLTAxMjM0NTY='})
    assert shown_as not in f'{caught.value}{vars(caught.value)}'
    assert 'unknown: ***' in str(caught.value)


def test_a_key_as_a_coding_of_the_answer() -> None:
    secret = 'sk-' + 'x' * 48
    for header in ('Content-Encoding', 'Content-Type'):
        with (
            ModelServer(Reply(headers={header: secret}, body='none')) as server,
            pytest.raises(AgentRunError) as caught,
        ):
            ask(OpenAIChatModel('m', base_url=server.base_url, api_key=secret, http=ONCE), False)
        assert 'x' * 20 not in f'{caught.value}{vars(caught.value)}'


@pytest.mark.parametrize('part', ['session=0123456789abcdef', 'csrf=zyxwvu98765'])
def test_a_part_of_a_cookie(part: str) -> None:
    cookie = 'session=0123456789abcdef; csrf=zyxwvu98765'
    reply = Reply(status=400, body={'error': {'message': part}})
    with ModelServer(reply) as server, pytest.raises(BadRequestError) as caught:
        ask(MAKERS['chat'](server.base_url), False, extra_headers={'Cookie': cookie})
    assert part not in f'{caught.value}{caught.value.__dict__}'


@pytest.mark.parametrize('stream', [False, True])
def test_no_value_that_the_model_itself_is_made_to_say(stream: bool) -> None:
    """As an injected prompt may ask a gateway's model to do, which sees the headers."""
    with ModelServer(lambda request: Reply(*(f'{v} ' for v in request.headers.values()))) as server:
        answer = ask(MAKERS['chat'](server.base_url), stream, extra_headers=SECRETS)
    assert [value for value in HIDDEN if value in repr(answer)] == []
    assert '***' in answer.text


def test_headers_of_the_model_are_hidden_like_those_of_a_call() -> None:
    with ModelServer(echoing(400)) as server, pytest.raises(BadRequestError) as caught:
        ask(OpenAIChatModel('m', base_url=server.base_url, headers=SECRETS, http=ONCE), False)
    assert [value for value in HIDDEN if value in f'{caught.value}{caught.value.__dict__}'] == []


def test_a_parameter_of_the_query_that_is_a_key() -> None:
    reply: Callable[[RecordedRequest], Reply] = lambda request: Reply(status=400, body={'at': request.path})  # noqa: E731
    with ModelServer(reply) as server, pytest.raises(BadRequestError) as caught:
        query = {'subscription-key': 'hidden-0123', 'api-version': '2024-10-21'}
        ask(OpenAIChatModel('m', base_url=server.base_url, default_query=query, http=ONCE), False)
    assert 'hidden-0123' not in f'{caught.value}{caught.value.__dict__}'
    assert '2024-10-21' in str(caught.value)


def test_what_the_model_is_asked_about_is_no_secret() -> None:
    """A value that the prompt holds, too, may come back: else the answer would be another one."""
    with ModelServer(Reply('user-0123456789 lives in Paris, as an example')) as server:
        answer = model_request_sync(
            OpenAIChatModel('m', base_url=server.base_url),
            [ModelRequest.user_text_prompt('Where does user-0123456789 live?')],
            model_settings={
                'extra_headers': {'X-User': 'user-0123456789', 'X-Town': 'Paris', 'X-Title': 'as an example'}
            },
        )
    assert answer.text == 'user-0123456789 lives in Paris, as an example'


def test_names_of_betas_are_read_in_an_error() -> None:
    with ModelServer(echoing(400)) as server, pytest.raises(BadRequestError, match='files-api-2025-04-14'):
        ask(MAKERS['anthropic'](server.base_url), False, extra_headers={'anthropic-beta': 'files-api-2025-04-14'})


# A sequence that clears the screen, one that sets the title, a carriage return that writes over what stands before it,
# a zero, text that is shown from right to left, a zero-width space, and half of a surrogate pair.
NASTY = 'a\x1b[2Jb\x1b]0;x\x07c\rd\x00e\u202ef\u2066g\u200bh\u2028i\x85j'


@pytest.mark.parametrize('stream', [False, True])
@pytest.mark.parametrize(
    'reply',
    [
        Reply(status=400, body=NASTY, content_type='text/plain'),
        Reply(status=400, body={'error': {'message': NASTY}}),
        Reply(status=400, body={'error': {'message': NASTY, 'code': 'content_filter'}}),
        Reply(body=f'<html>{NASTY}</html>', content_type='text/html'),
        Reply(body=f'no JSON {NASTY}', content_type='application/json'),
        Reply(body={'choices': NASTY}),
        Reply(body={'error': {'message': NASTY}}),
    ],
)
def test_what_is_shown_of_an_answer_can_be_printed(reply: Reply, stream: bool) -> None:
    with ModelServer(lambda request: reply) as server, pytest.raises(AgentRunError) as caught:
        ask(MAKERS['chat'](server.base_url), stream)
    for shown in (str(caught.value), repr(caught.value), str(getattr(caught.value, 'args', ''))):
        assert all(character.isprintable() or character == '\n' for character in shown)
    assert r'e\u202ef\u2066g\u200bh\u2028i' in str(caught.value)


def test_half_of_a_surrogate_pair_in_an_error_can_be_encoded() -> None:
    body = json.dumps({'error': {'message': 'half \ud800 of one'}})
    with ModelServer(lambda request: Reply(status=400, body=body)) as server, pytest.raises(AgentRunError) as caught:
        ask(MAKERS['chat'](server.base_url), False)
    str(caught.value).encode()


def test_blanks_of_other_scripts_and_lines_stay() -> None:
    words = 'erste Zeile\n\tzweite\u3000Zeile\u00a0!'
    assert str(UnexpectedModelBehavior(words)) == words
