"""Instructions: written again for each request, sent first, and not part of the conversation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from .._base.json_values import sendable_text
from .._base.phases import phase
from ..exceptions import UserError
from .user_functions import MakeContext, UserFunction, user_function, written_text

Source: TypeAlias = str | UserFunction


def instruction_sources(instructions: object) -> tuple[Source, ...]:
    """The texts and functions in the `instructions` argument of an agent or a run.

    Raises:
        UserError: It holds something else.
    """
    if instructions is None:
        return ()
    alone = isinstance(instructions, str | bytes) or callable(instructions) or not isinstance(instructions, Iterable)
    return tuple(_source(one) for one in ([instructions] if alone else instructions))  # type: ignore[attr-defined]


def _source(one: object) -> Source:
    if isinstance(one, str):
        return sendable_text(one, 'A text of instructions')
    if not callable(one):
        raise UserError(
            'instructions must be a str, a function that returns one, or a list of these; '
            f'they hold a value of {type(one).__name__}'
        )
    return user_function(one, 'instructions function', 0, 1)


async def written_instructions(sources: Sequence[Source], context: MakeContext) -> str | None:
    """The instructions of the next request, or None if there are none."""
    texts = []
    with phase('instructions'):
        for source in sources:
            text = (
                source
                if isinstance(source, str)
                else await written_text(source, context, 'instructions', optional=True)
            )
            if text and text.strip():
                texts.append(text)
    return '\n\n'.join(texts) or None
