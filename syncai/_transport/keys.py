"""The secrets of a request, and answers that repeat them; pure."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlsplit

if TYPE_CHECKING:
    from .request import HttpRequest

__all__ = ['EncodedKeys', 'KEY_HEADERS', 'key_begun', 'keys_in', 'without_keys', 'without_keys_in']

KEY_HEADERS = ('authorization', 'x-api-key', 'api-key', 'x-goog-api-key')
"""The headers that identify the paying account: one of them carries the key."""

HIDDEN = b'***'
"""What answers show in place of a secret."""

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
_URL_SAFE = str.maketrans('+/', '-_')
_OF_HTML = str.maketrans({'&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;'})
_SHORTEST = 6  # the least characters of a value with a secret name
_SHORTEST_OF_OTHERS = 8
_SHORTEST_BEGUN = 6


def keys_in(request: HttpRequest) -> list[bytes]:
    """The secrets in the headers and the query of a request. Any header of the user may be secret, since gateways use
    their own names, and so may parameters with secret names. Words, short values and values that are also in the body
    are not secret: the answer may mention them.
    """
    keys = [form for text in _own_texts(request) for form in _written(text)]
    if request.private or '?' in request.url:
        forms = {form for text in _added_texts(request) for form in _written(text)}
        keys += sorted(forms.difference(keys), key=len, reverse=True)
    return keys


class EncodedKeys:
    """The secrets of a request in Base64 (RFC 4648 sections 4 and 5), also within a longer encoded text, and with line
    breaks as MIME has them. The search takes time, so that it is for the texts of errors only.

    Args:
        request: The request.
        of_proxy: What only a proxy sees: it is looked for as it is, too.
    """

    def __init__(self, request: HttpRequest, of_proxy: Iterable[str] = ()) -> None:
        others = {text for text in of_proxy if len(text) >= _SHORTEST}
        texts = {*_own_texts(request), *_added_texts(request), *others}
        forms = {form for text in texts for form in _in_base64(text.encode('utf-8', 'replace'))} | others
        self._forms = sorted(forms, key=len, reverse=True)
        pattern = '|'.join(r'\s*'.join(map(re.escape, form)) for form in self._forms)
        self._pattern = re.compile(pattern or '(?!)')

    def hidden_in(self, text: str) -> str:
        """The text without them, nor with the beginning of one where it is cut."""
        text = self._pattern.sub('***', text)
        end = text.rstrip('.\u2026 ')
        part = key_begun(end.encode('utf-8', 'replace'), [form.encode() for form in self._forms])
        return f'{end[: -len(part)]}***' if len(part) >= _SHORTEST_BEGUN else text


def without_keys(answer: bytes, keys: list[bytes]) -> bytes:
    """An answer without the secrets of its request."""
    for key in keys:
        answer = answer.replace(key, HIDDEN)
    return answer


def without_keys_in(value: Any, keys: list[bytes], encoded: EncodedKeys) -> Any:
    """What was decoded of an answer, without secrets in Base64 or written in a form of which nobody thought."""
    if isinstance(value, str):
        for key in keys:
            value = value.replace(key.decode(), '***')
        return encoded.hidden_in(value)
    if isinstance(value, dict):
        items = value.items()
        return {without_keys_in(name, keys, encoded): without_keys_in(item, keys, encoded) for name, item in items}
    return [without_keys_in(item, keys, encoded) for item in value] if isinstance(value, list) else value


def key_begun(answer: bytes, keys: list[bytes]) -> bytes:
    """The longest end of an answer so far that may begin a secret."""
    return max((_begun(answer, key) for key in keys), key=len, default=b'')


def _begun(answer: bytes, key: bytes) -> bytes:
    start = answer.find(key[0], max(0, len(answer) - len(key) + 1))
    while start >= 0 and not key.startswith(answer[start:]):
        start = answer.find(key[0], start + 1)
    return answer[start:] if start >= 0 else b''


def _own_texts(request: HttpRequest) -> list[str]:
    """The secrets in the headers that identify the account."""
    texts = []
    for name, value in request.headers.items():
        if name.lower() in _SECRET_HEADERS:
            scheme, _, text = value.rpartition(' ')
            texts += [text, *_name_and_password(text)] if scheme.strip().lower() == 'basic' else [text]
    return [text for text in texts if len(text) >= _SHORTEST]


def _name_and_password(credentials: str) -> list[str]:
    """Both, and the password alone, of the Basic credentials of RFC 7617."""
    try:
        text = base64.b64decode(credentials, validate=True).decode('utf-8', 'replace')
    except (binascii.Error, ValueError):
        return []
    return [text, text.partition(':')[2]]


def _added_texts(request: HttpRequest) -> Iterator[str]:
    if request.private or '?' in request.url:
        for name, value in _added(request):
            yield from _texts_of(name, value)


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


def _texts_of(name: str, value: str) -> Iterator[str]:
    """The value, the part after the name of a scheme, and under a secret name the parts of a list or a cookie."""
    speaks = _SPEAKING.search(name) is not None
    for text in {value, value.rpartition(' ')[2], *(_PARTS.split(value) if speaks else ())}:
        if len(text) >= (_SHORTEST if speaks else _SHORTEST_OF_OTHERS) and (speaks or not text.isalpha()):
            yield text


def _in_base64(text: bytes) -> Iterator[str]:
    """The characters that depend on all of a text and on nothing around it, for each of its three alignments."""
    for before, mixed in enumerate((0, 2, 3)):  # bytes before it in a group, and characters that they have a part in
        encoded = base64.b64encode(b'\0' * before + text)[mixed : (before + len(text)) * 4 // 3].decode()
        yield encoded
        yield encoded.translate(_URL_SAFE)
        yield quote(encoded, safe='')


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
