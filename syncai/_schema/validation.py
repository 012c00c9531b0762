"""Validation of a model's input, and the errors in the form that the model reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from pydantic_core import ValidationError, to_json, to_jsonable_python

from .unwrapping import unwrapped

if TYPE_CHECKING:
    from pydantic import TypeAdapter

__all__ = ['retry_errors', 'validate_input']

T = TypeVar('T')

_INPUT_SHOWN = 500  # the most characters of a wrong input that the model is shown again


def validate_input(adapter: TypeAdapter[T], args: str | dict[str, Any] | None, *, allow_partial: bool = False) -> T:
    """The validated value of JSON text or of decoded JSON; no input counts as an empty object.

    JSON text is validated in pydantic's JSON mode, decoded JSON in its lax mode. With `allow_partial` the input may
    break off anywhere, even within a string, and errors in the last value are ignored. Otherwise text that does not fit
    is unwrapped and validated again, see `unwrapped`.
    """
    partial: Any = 'trailing-strings' if allow_partial else False
    if isinstance(args, str) and args and not args.isspace():
        try:
            return adapter.validate_json(args, experimental_allow_partial=partial)
        except ValidationError as error:
            again = None if allow_partial else unwrapped(args, error)
            if again is None:
                raise
        return validate_input(adapter, again)
    decoded = {} if args is None or isinstance(args, str) else args
    return adapter.validate_python(decoded, experimental_allow_partial=partial)


def retry_errors(error: ValidationError) -> list[dict[str, Any]]:
    """The errors as plain JSON values, without links, and with long inputs cut."""
    return [
        {**detail, 'loc': list(detail['loc']), 'input': _shown(detail['input'])}
        for detail in error.errors(include_url=False, include_context=False)
    ]


def _plain(value: Any) -> tuple[Any, str]:
    try:
        plain = to_jsonable_python(value, fallback=repr, inf_nan_mode='strings', bytes_mode='base64')
        return plain, to_json(plain).decode()
    except ValueError:  # it holds half of a surrogate pair, or contains itself
        return ascii(value), ascii(value)


def _shown(value: Any) -> Any:
    if isinstance(value, str):
        plain = text = value.encode(errors='replace').decode()  # halves of a surrogate pair cannot be sent
    else:
        plain, text = _plain(value)
    return plain if len(text) <= _INPUT_SHOWN else f'{text[:_INPUT_SHOWN]}... ({len(text)} characters)'
