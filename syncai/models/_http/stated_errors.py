"""Errors in JSON with status 200, in all forms that servers and gateways use; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_HOLDERS = ('error', 'errors', 'Error', 'err', 'exception', 'fault', 'base_resp', 'error_info', 'errorInfo', 'detail')
"""Fields that hold the error: as an object, a list of objects, or its text."""

_ENVELOPES = ('response', 'Response', 'data', 'result', 'body', 'header')
"""Fields whose object may hold the error instead."""

_MESSAGES = (
    'message',
    'msg',
    'error_message',
    'errorMessage',
    'error_msg',
    'errmsg',
    'detail',
    'error_description',
    'status_msg',
    'statusMessage',
    'faultstring',
    'Message',
    'title',
    'reason',
)
_CODES = ('code', 'error_code', 'errorCode', 'errcode', 'status_code', 'statusCode', 'http_status', 'Code', 'status')
_TYPES = ('type', 'error_type', 'errorType', '__type', 'object', 'event', 'status', 'level')
_OF_ERRORS = tuple(name for name in (*_MESSAGES, *_CODES, *_TYPES) if name.startswith('err'))  # they say it themselves
_BAD_WORDS = ('error', 'exception', 'fail', 'fatal', 'invalid', 'denied', 'unauthorized', 'exceeded', 'not_found')
_GOOD_CODES = frozenset({'', '0', '200', 'true', 'ok', 'success', 'succeeded', 'completed', 'processing', 'pending'})


def stated_error(body: object) -> dict[str, Any] | None:
    """The error in JSON, with its text as `message`, and `code` and `type` if present; else None. Call it only for JSON
    without an answer: an answer may have such fields too.
    """
    if isinstance(body, list) and body:
        return stated_error(body[0])
    if not isinstance(body, dict):
        return None
    for name in _HOLDERS:
        if error := _held(name, body):
            return error
    if _is_flat_error(body):
        return normal_error(body)
    return next((inner for name in _ENVELOPES if (inner := stated_error(body.get(name)))), None)


def normal_error(error: Mapping[str, Any]) -> dict[str, Any]:
    """An error object with its text, code and type under the names that OpenAI uses; its other fields stay."""
    normal = dict(error)
    for name, aliases in (('message', _MESSAGES), ('code', _CODES), ('type', _TYPES)):
        if normal.get(name) in (None, ''):
            value = next((error[alias] for alias in aliases if error.get(alias) not in (None, '')), None)
            if value is not None:
                normal[name] = value
    return normal


def _held(name: str, body: Mapping[str, Any]) -> dict[str, Any] | None:
    """The error in a field whose name means an error."""
    value = body.get(name)
    if isinstance(value, list):
        value = value[0] if value else None
    if isinstance(value, str) and value.strip() and name != 'detail':  # which FastAPI writes for a text of any kind
        error = normal_error({'message': None, 'type': None, **body})
        return error if error['message'] else {**error, 'message': value}
    if not isinstance(value, dict) or not value:
        return None
    if inner := _held('error', value):  # some gateways wrap another gateway's error
        return inner
    normal = normal_error(value)
    return None if _is_good(normal.get('code')) and not normal.get('message') else normal


def _is_flat_error(body: Mapping[str, Any]) -> bool:
    """Whether an object is itself an error: it has a text, and another field that marks it as an error."""
    text = next((body[name] for name in _MESSAGES if _is_text(body.get(name))), None)
    if text is None:
        return False
    if any(body.get(name) not in (None, '', 0, '0') for name in _OF_ERRORS):
        return True
    if body.get('error') is True or body.get('success') is False or body.get('ok') is False:
        return True
    if any(word in str(body.get(name) or '').lower() for name in _TYPES for word in _BAD_WORDS):
        return True
    return not all(_is_good(body[name]) for name in _CODES if isinstance(body.get(name), int | str))


def _is_text(value: object) -> bool:
    """Whether a field holds text; FastAPI has a list with an error for each field of a request."""
    return bool(value) and isinstance(value, str | list)


def _is_good(code: object) -> bool:
    return code is None or str(code).lower() in _GOOD_CODES
