"""The user's functions other than tools: they write prompts and instructions, or check results."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from .._base.json_values import sendable_text
from .._bridge import call_user_function
from ..exceptions import UserError

if TYPE_CHECKING:
    from ..runs import RunContext

# A function, since most runs need no context, and making one takes time.
MakeContext: TypeAlias = 'Callable[[], RunContext[Any]]'


@dataclass(frozen=True, kw_only=True, slots=True)
class UserFunction:
    """A user's function, and whether it takes the `RunContext`."""

    function: Callable[..., Any]
    takes_ctx: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class PromptFunction(UserFunction):
    """A function that writes a system prompt.

    Attributes:
        written_by: Its name, by which a history recognises its texts.
        dynamic_ref: Its name in the parts that are written again when a history is continued; None if they are not.
    """

    written_by: str
    dynamic_ref: str | None = None


def user_function(function: Callable[..., Any], what: str, least: int, most: int) -> UserFunction:
    """The function with the facts of its signature.

    Args:
        function: Takes `least` parameters, or `most` of them, the `RunContext` first.
        what: What it is for, for errors.
        least: Its parameters without the `RunContext`.
        most: Its parameters with it.

    Raises:
        UserError: It is no function, or takes another number of parameters.
    """
    if not callable(function):
        raise UserError(f'A {what} must be a function, not {function!r:.100}')
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:
        raise UserError(f'The signature of {function!r:.100} cannot be read: wrap it in a function') from None
    required = [p for p in parameters if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    if not least <= len(required) <= most:
        signatures = '(ctx) or none' if least == 0 else '(data) or (ctx, data)'
        raise UserError(f'The {what} {name_of(function)!r} must take {signatures}, not {len(required)} parameters')
    return UserFunction(function=function, takes_ctx=len(required) == most)


def name_of(function: Callable[..., Any]) -> str:
    """The name of a function in errors."""
    return str(getattr(function, '__name__', repr(function)))


async def written_text(
    function: UserFunction, context: MakeContext, what: str, *, optional: bool = False
) -> str | None:
    """The text of the function, called in the caller's thread.

    Raises:
        UserError: The function did not return text.
    """
    text = await call_user_function(function.function, *([context()] if function.takes_ctx else []))
    if isinstance(text, str):
        return sendable_text(text, f'The {what} function {name_of(function.function)!r}')
    if optional and text is None:
        return None
    kinds = 'a str or None' if optional else 'a str'
    raise UserError(
        f'The {what} function {name_of(function.function)!r} must return {kinds}, not {type(text).__name__}'
    )
