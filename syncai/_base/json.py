"""Requests and answers as JSON: by pydantic if it is loaded, and otherwise by the standard library.

Loading pydantic's core takes a tenth of the time from the start of a process to its first answer, and a program that
only asks a model for text does not need it otherwise. Its first `to_json` imports `uuid`, and with it `platform`, which
takes milliseconds; a program that sends few requests does not need that either. Both give the same for every valid
request and answer. Whatever the standard library refuses or reads differently goes to pydantic.
"""

from __future__ import annotations

import json
import sys
from typing import Any

__all__ = ['read_json', 'write_json']


def read_json(data: str | bytes) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: It is not JSON.
    """
    from_json: Any = getattr(sys.modules.get('pydantic_core'), 'from_json', None)
    if from_json is None and not _has_surrogates(data):
        try:
            return json.loads(data)
        except (ValueError, RecursionError):  # pydantic raises its own error, as everywhere else
            pass
    if from_json is None:
        from pydantic_core import from_json
    return from_json(data)


def write_json(value: Any) -> bytes:
    """A value as JSON; anything that pydantic can write.

    Raises:
        ValueError: The value, or one in it, cannot be written.
    """
    global _spared
    if ('uuid' not in sys.modules and _spared < _IMPORT_COST) or 'pydantic_core' not in sys.modules:
        try:
            text = _encode(value).encode()
        except (TypeError, ValueError, RecursionError):  # dates and models, and text that UTF-8 cannot hold
            pass
        else:
            _spared += _CALL_COST + len(text)
            return text
    from pydantic_core import to_json

    data: bytes = to_json(value)
    return data


_IMPORT_COST = 1_000_000
"""The bytes that the standard library writes as much slower than pydantic as the import of `uuid` takes."""
_CALL_COST = 1_000
"""The bytes for which the same is true of one call."""
# Bytes that the standard library has written. Any thread adds; a lost addition does no harm.
_spared = 0

_encode = json.JSONEncoder(ensure_ascii=False, separators=(',', ':')).encode


def _has_surrogates(data: str | bytes) -> bool:
    return ('\\ud' if isinstance(data, str) else b'\\ud') in data.lower()  # type: ignore[operator]
