"""The message of an HTTP error: what happened, the provider's words, the remedy; pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .printable import printable

__all__ = ['http_error_text', 'provider_words']

_MOST = 500
"""The most characters of the provider's words that are shown; the whole answer is in `body`."""

_OF_CLASS: Mapping[str, tuple[str, str]] = {
    'ContextWindowExceeded': ('{who} refused the request', 'The conversation is too long: shorten it.'),
    'BadRequestError': ('{who} refused the request', 'Correct the request.'),
    'AuthenticationError': ('{who} did not accept the API key', 'Correct the key.'),
    'PermissionDeniedError': ('{who} does not allow this', 'Ask for access there, or use another key or model.'),
    'NotFoundError': ('{who} does not know the model or the address', "Correct the model's name or base_url."),
    'RateLimitError': ('{who} takes no more requests at the moment', 'Try again later, or send fewer at a time.'),
    'OverloadedError': ('{who} is overloaded', 'Try again later.'),
    'ServerError': ('{who} failed', 'Try again later.'),
}
"""What happened and what to do, by the name of the error class: the body may show a better class than the status."""

_OF_STATUS: Mapping[int, tuple[str, str]] = {
    402: ('{who} asks for payment', 'Add credit there.'),
    408: ('{who} gave up waiting for the request', 'Try again later.'),
    413: ('{who} takes no request of this size', 'Shorten it, or leave out files.'),
}
_REDIRECT = ('{who} sent a redirect', 'Correct base_url.')
_UNKNOWN = ('{who} answered with an error', 'Correct the request, or try again later.')
_NO_CREDIT = frozenset({'insufficient_quota', 'billing_hard_limit_reached', 'billing_error'})

# The keys of the text: OpenAI and Anthropic write `error.message`, AWS `message` or `Message`, FastAPI `detail`, OAuth
# (RFC 6749, 5.2) `error_description`, problem documents (RFC 9457) `detail` and `title`.
_WORDS = ('message', 'Message', 'error_description', 'detail', 'msg', 'title', 'reason')
_INSIDE = ('error', 'errors', 'detail', 'message')
_CODES = ('code', 'type', 'status', '__type')
_TAGS = r'(?is)<(script|style|head)\b.*?</\1\s*>|<[^>]*>'


def http_error_text(
    classes: Iterable[type],
    status: int,
    model_name: str | None,
    body: object,
    context: Mapping[str, Any],
    hint: str | None,
) -> str:
    """The message in one line.

    Args:
        classes: The class of the error and its bases, the nearest first.
        status: The HTTP status.
        model_name: The model that was asked.
        body: The decoded body.
        context: What else is known: `provider`, `attempts` and `retry_after`, as the error has them.
        hint: What to do, if more is known than the class says.
    """
    happened, remedy = _known(classes, status)
    who, attempts, retry_after = context.get('provider'), context.get('attempts', 0), context.get('retry_after')
    who = who or 'The provider'
    what = happened.format(who=f'{who} ({model_name})' if model_name else who)
    facts = f'status {status}' + (f', {attempts} attempts' if attempts > 1 else '')
    if not hint and retry_after is not None:
        remedy = f'Try again in {retry_after:g} s.'
    elif status == 429 and not _NO_CREDIT.isdisjoint(_codes(body)):
        remedy = 'Add credit there: waiting does not help.'
    words = provider_words(body)
    return ' '.join((_sentence(f'{what} ({facts}): {words}' if words else f'{what} ({facts})'), hint or remedy))


def provider_words(body: object) -> str:
    """The text of an error body in one line; an excerpt of the body if no text is recognised."""
    if body is None:
        return ''
    words = body if isinstance(body, str) else _found(body) or _as_json(body)
    if '<' in words[:200] and '>' in words:
        words = re.sub(_TAGS, ' ', words)
    code = next((code for code in _codes(body) if code not in words), None)
    words = ' '.join(printable(words).split())
    words = words if len(words) <= _MOST else f'{words[:_MOST]}…'
    return f'{words} [{printable(code)}]' if code and words else words


def _known(classes: Iterable[type], status: int) -> tuple[str, str]:
    names = [one.__name__ for one in classes]
    if status in _OF_STATUS and names[0] != 'ContextWindowExceeded':
        return _OF_STATUS[status]
    fallback = _REDIRECT if 300 <= status < 400 else _UNKNOWN
    return next((_OF_CLASS[name] for name in names if name in _OF_CLASS), fallback)


def _found(body: Any, depth: int = 0) -> str | None:
    if isinstance(body, str):
        return body.strip() or None
    if depth > 4:  # no server nests deeper, and the body is untrusted
        return None
    if isinstance(body, list):
        return '; '.join(filter(None, (_found(one, depth + 1) for one in body[:3]))) or None
    if not isinstance(body, dict):
        return None
    texts = (body.get(name) for name in _WORDS)
    if words := next((text for text in texts if isinstance(text, str) and text.strip()), None):
        return f'{words}: {raw}' if (raw := _raw_words(body)) else words
    return next((words for name in _INSIDE if (words := _found(body.get(name), depth + 1))), None)


def _raw_words(body: dict[str, Any]) -> str | None:
    """The text of the provider behind OpenRouter, which OpenRouter's own message leaves out.

    Source: https://openrouter.ai/docs/api-reference/errors
    """
    metadata = body.get('metadata')
    raw = metadata.get('raw') if isinstance(metadata, dict) else None
    return raw.strip() if isinstance(raw, str) else None


def _codes(body: Any) -> Iterator[str]:
    """The names of the kind of an error: words, not numbers."""
    error = body.get('error') if isinstance(body, dict) else None
    for part in (error, body):
        if isinstance(part, dict):
            values = (part.get(name) for name in _CODES)
            yield from (one for one in values if isinstance(one, str) and one.strip() and not one.isdecimal())


def _as_json(body: object) -> str:
    try:
        return json.dumps(body, ensure_ascii=False, default=str)
    except (RecursionError, ValueError):  # nested deeper than any answer, or in a circle
        return ''


def _sentence(text: str) -> str:
    return text if text.endswith(('.', '!', '?', '…')) else f'{text}.'
