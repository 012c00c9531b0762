"""The bytes of values, and their keys."""

from __future__ import annotations

import hashlib
import json

from ..exceptions import UserError
from .messages import Canonical
from .places import KeyPlace
from .values import Json, Rewrite

CANONICAL_VERSION = 1
"""Incremented when the bytes of any value change, so that no key of another form ever matches."""


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(',', ':'), ensure_ascii=False, allow_nan=False)


def canonical_value(value: object, *, rewrite: Rewrite | None = None, name: str = 'the value') -> Json:
    """The canonical form of a value, which `canonical_bytes` writes: what JSON can hold, and always the same.

    Sets are sorted, dataclasses and pydantic models are objects, an enum is its value, times with a zone are in UTC,
    bytes and files are their hash and size, a `Path` is the file at it, and messages are what the model reads of them.

    Args:
        value: Such as the prompt of a row.
        rewrite: Takes each text in it, and returns the part of it that counts.
        name: What holds the value, for the error.

    Raises:
        UserError: It holds a value of another type, a key that is no text, NaN or infinity, or itself.
    """
    try:
        return Canonical(rewrite).value(value, KeyPlace(name))
    except RecursionError:
        raise UserError(f'{name} holds itself, or is nested too deep: no stable key can be made of it') from None


def canonical_bytes(form: Json, *, of: str = 'value') -> bytes:
    """The bytes of a canonical form, which begin with its kind and version."""
    return f'syncai {of} {CANONICAL_VERSION}\n{_ENCODER.encode(form)}'.encode('utf-8', 'surrogatepass')


def canonical_key(value: object, *, name: str = 'the value') -> str:
    """The key of a value: the SHA-256 of its canonical bytes, in hexadecimal; arguments and errors as above."""
    return hashlib.sha256(canonical_bytes(canonical_value(value, name=name))).hexdigest()
