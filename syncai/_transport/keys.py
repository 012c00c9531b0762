"""What of a request is secret, and answers that repeat it; pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from .request import HttpRequest

__all__ = ['KEY_HEADERS', 'key_begun', 'keys_in', 'without_keys']

KEY_HEADERS = ('authorization', 'x-api-key', 'api-key', 'x-goog-api-key')
"""The headers that name the account which pays: one of them carries the key."""

_SECRET_HEADERS = (*KEY_HEADERS, 'x-amz-security-token')  # the last belongs to a session of AWS, not to its account
# Headers of the user that never carry a secret, and are worth reading in an error.
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
_SHORTEST = 6  # characters of a value whose name says that it is secret
_SHORTEST_OF_OTHERS = 8


def keys_in(request: HttpRequest) -> list[bytes]:
    """The secrets that a request carries in its headers and its query.

    Whatever header the user has added may be one, as gateways use their own names; so may parameters whose names say
    so. What is a word, is short, or stands in the body of the request too, is none: the answer may speak of it.
    """
    values = [value for name, value in request.headers.items() if name.lower() in _SECRET_HEADERS]
    keys = [key for value in values if len(key := value.rpartition(' ')[2].encode('utf-8', 'replace')) >= _SHORTEST]
    if request.private or '?' in request.url:
        forms = {form for name, value in _added(request) for form in _forms(name, value)}
        keys += sorted(forms.difference(keys), key=len, reverse=True)
    return keys


def without_keys(answer: bytes, keys: list[bytes]) -> bytes:
    """An answer that repeats a secret of its request, without it."""
    for key in keys:
        answer = answer.replace(key, b'***')
    return answer


def key_begun(answer: bytes, keys: list[bytes]) -> bytes:
    """The end of an answer so far, if it is the beginning of a secret; the longest one."""
    ends = (key[:length] for key in keys for length in range(len(key) - 1, 0, -1))
    return max((end for end in ends if answer.endswith(end)), key=len, default=b'')


def _added(request: HttpRequest) -> Iterator[tuple[str, str]]:
    """What the user has added, and does not send to the model as well."""
    body = request.body
    for name in request.private - _OPEN_HEADERS:
        value = request.headers.get(name, '')
        if value.encode('utf-8', 'replace') not in body:
            yield name, value
    for name, value in parse_qsl(urlsplit(request.url).query):
        if _SPEAKING.search(name.lower()) and value.encode('utf-8', 'replace') not in body:
            yield name, value


def _forms(name: str, value: str) -> Iterator[bytes]:
    """The whole value and what follows the name of a scheme in it, also as JSON writes them."""
    speaks = _SPEAKING.search(name) is not None
    for text in {value, value.rpartition(' ')[2]}:
        if len(text) >= (_SHORTEST if speaks else _SHORTEST_OF_OTHERS) and (speaks or not text.isalpha()):
            yield text.encode('utf-8', 'replace')
            yield json.dumps(text)[1:-1].encode()
