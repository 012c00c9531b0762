"""Checks of arguments, shared by runs and single requests."""

from __future__ import annotations

from collections.abc import Sequence

from ..exceptions import UserError
from ..messages import ModelMessage


def check_flag(name: str, value: object) -> None:
    """Raise UserError unless the value is True or False."""
    if not isinstance(value, bool):
        raise UserError(f'{name} must be True or False, not {value!r:.100}')


def check_parts(messages: Sequence[ModelMessage]) -> None:
    """Raise UserError unless the parts of each message are a list."""
    for message in messages:
        parts: object = message.parts
        if not isinstance(parts, list | tuple) and (isinstance(parts, str) or not isinstance(parts, Sequence)):
            raise UserError(
                f'The parts of a {type(message).__name__} must be a list of parts, not {type(parts).__name__}; '
                'for a plain question: ModelRequest.user_text_prompt("...")'
            )
