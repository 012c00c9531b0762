"""The secrets of a request, and answers that repeat them; pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlsplit

if TYPE_CHECKING:
    from .request import HttpRequest

__all__ = ['KEY_HEADERS', 'key_begun', 'keys_in', 'without_keys', 'without_keys_in']

KEY_HEADERS = ('authorization', 'x-api-key', 'api-key', 'x-goog-api-key')
"""The headers that identify the paying account: one of them carries the key."""

_SECRET_HEADERS = (*KEY_HEADERS, 'x-amz-security-token')  # the last one identifies a session of AWS, not its account
# Headers of the user without secrets that are useful in an error.
_OPEN_HEADERS = frozenset(
    {
        'accept',
        'accept-language',
        'anthropic-beta',
        'anthropic-version',
        'cache-control',
        'content-type',
        'http-referer',
        'openai-beta',
        'origin',
        'referer',
        'traceparent',
        'tracestate',
        'user-agent',
        'x-title',
    }
)
_SPEAKING = re.compile(r'key|token|secret|auth|pass|cookie|credential|session|sig|jwt|code')
_PARTS = re.compile(r'[;,]\s*')
_SAME_EVERYWHERE = re.compile(r'[\w.~-]+', re.ASCII)
_OF_GO = {ord(sign): f'\\u{ord(sign):04x}' for sign in '<>&'}
_OF_DOTNET = {ord(sign): f'\\u{ord(sign):04X}' for sign in "<>&+'`"}
_OF_HTML = str.maketrans({'&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;'})
_SHORTEST = 6  # the least characters of a value with a secret name
_SHORTEST_OF_OTHERS = 8


def keys_in(request: HttpRequest) -> list[bytes]:
    """The secrets in the headers and the query of a request. Any header of the user may be secret, since gateways use
    their own names, and so may parameters with secret names. Words, short values and values that are also in the body
    are not secret: the answer may mention them.
    """
    values = [value for name, value in request.headers.items() if name.lower() in _SECRET_HEADERS]
    texts = [text for value in values if len(text := value.rpartition(' ')[2]) >= _SHORTEST]
    keys = [form for text in texts for form in _written(text)]
    if request.private or '?' in request.url:
        forms = {form for name, value in _added(request) for form in _forms(name, value)}
        keys += sorted(forms.difference(keys), key=len, reverse=True)
    return keys


def without_keys(answer: bytes, keys: list[bytes]) -> bytes:
    """An answer without the secrets of its request."""
    for key in keys:
        answer = answer.replace(key, b'***')
    return answer


def without_keys_in(value: Any, keys: list[bytes]) -> Any:
    """What was decoded of an answer, without a secret that was written in a form of which nobody thought."""
    if isinstance(value, str):
        for key in keys:
            value = value.replace(key.decode(), '***')
        return value
    if isinstance(value, dict):
        return {without_keys_in(name, keys): without_keys_in(item, keys) for name, item in value.items()}
    return [without_keys_in(item, keys) for item in value] if isinstance(value, list) else value


def key_begun(answer: bytes, keys: list[bytes]) -> bytes:
    """The longest end of an answer so far that may begin a secret."""
    ends = (key[:length] for key in keys for length in range(len(key) - 1, 0, -1))
    return max((end for end in ends if answer.endswith(end)), key=len, default=b'')


def _added(request: HttpRequest) -> Iterator[tuple[str, str]]:
    """Values that the user added and that are not in the body."""
    body = request.body
    for name in request.private - _OPEN_HEADERS:
        value = request.headers.get(name, '')
        if value.encode('utf-8', 'replace') not in body:
            yield name, value
    for name, value in parse_qsl(urlsplit(request.url).query):
        if _SPEAKING.search(name.lower()) and value.encode('utf-8', 'replace') not in body:
            yield name, value


def _forms(name: str, value: str) -> Iterator[bytes]:
    """The value, the part after the name of a scheme, and under a secret name the parts of a list or a cookie."""
    speaks = _SPEAKING.search(name) is not None
    for text in {value, value.rpartition(' ')[2], *(_PARTS.split(value) if speaks else ())}:
        if len(text) >= (_SHORTEST if speaks else _SHORTEST_OF_OTHERS) and (speaks or not text.isalpha()):
            yield from _written(text)


def _written(text: str) -> Iterable[bytes]:
    """A text as it is, and as it is written in JSON, in addresses and in HTML; the one form where all are the same."""
    plain = text.encode('utf-8', 'replace')
    if _SAME_EVERYWHERE.fullmatch(text):
        return (plain,)
    in_json = json.dumps(text)[1:-1]
    forms = (in_json, in_json.replace('/', '\\/'), in_json.translate(_OF_GO), in_json.translate(_OF_DOTNET))
    in_html = text.translate(_OF_HTML)
    others = (*forms, quote(plain, safe=''), in_html, in_html.replace('&#39;', '&#x27;'))
    return dict.fromkeys((plain, *(form.encode('utf-8', 'replace') for form in others)))
