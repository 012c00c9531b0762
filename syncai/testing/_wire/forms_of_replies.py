"""What several wire formats write of a `Reply` in the same way."""

from __future__ import annotations

from collections.abc import Iterator

from ..script import Reply

__all__ = ['arguments_of', 'json_bytes', 'texts_of']


def json_bytes(value: object) -> bytes:
    """A value as JSON."""
    from pydantic_core import to_json

    return to_json(value)


def arguments_of(args: str) -> object:
    """The arguments of a call as a value; text that is no JSON stays text, as of a model that was not held to JSON."""
    from pydantic_core import from_json

    try:
        return from_json(args or '{}')
    except ValueError:
        return args


def texts_of(reply: Reply) -> Iterator[str]:
    """The pieces of the text of a reply."""
    for _ in range(reply.repeat):
        yield from reply.text
    if reply.big_event_bytes is not None:
        yield 'x' * reply.big_event_bytes
