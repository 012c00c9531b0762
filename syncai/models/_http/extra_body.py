"""The fields of `extra_body`, merged into a request without losing any of it; pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...exceptions import UserError

_SCHEMAS = ('json_schema', 'schema')
_PROMPTS = ("['system']", "['instructions']")  # of Anthropic and Responses, which have one text


def with_extra_body(body: dict[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """The request with the fields of the setting `extra_body`.

    Lists are appended to those of the request, and the fields of an object are merged into the request's object. Any
    other value replaces the request's, and so does an object of another `type`. None removes a field.

    Raises:
        UserError: A list, an object, the system prompt or the schema of the result would be replaced.
    """
    extra = settings.get('extra_body')
    return _merged(body, extra, '') if extra else body


def _merged(body: Mapping[str, Any], extra: Mapping[str, Any], path: str) -> dict[str, Any]:
    merged = dict(body)
    for name, value in extra.items():
        present = merged.get(name)
        where = f'{path}[{name!r}]'
        if value is None and present is not None:
            del merged[name]
        elif isinstance(present, dict) and isinstance(value, Mapping):
            merged[name] = dict(value) if _is_another_choice(present, value, where) else _merged(present, value, where)
        elif isinstance(present, list) and isinstance(value, list | tuple):
            merged[name] = [*present, *(item for item in value if item not in present)]
        elif isinstance(present, dict | list):
            kind = 'an object' if isinstance(present, dict) else 'a list'
            raise _conflict(where, f'is {type(value).__name__}, where the request has {kind}', 'Give one too')
        elif present is not None and where in _PROMPTS:
            raise _conflict(where, 'would replace what the system prompt says', 'Write it into the prompt')
        else:
            merged[name] = value
    return merged


def _is_another_choice(choice: Mapping[str, Any], value: Mapping[str, Any], where: str) -> bool:
    if 'type' not in choice or 'type' not in value or choice['type'] == value['type']:
        return False
    if any(name in choice for name in _SCHEMAS):
        what = f'asks for {value["type"]!r}, where the request has the schema of the result'
        raise _conflict(where, what, "Leave it out, or ask for the result with result_mode='tool'")
    return True


def _conflict(where: str, what: str, remedy: str) -> UserError:
    return UserError(f'extra_body{where} {what}. {remedy}, or set the field to None to take out what the request has')
