"""The interface of a store of conversations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

from .._base.json_values import whole_text
from ..exceptions import ConversationConflict, UserError
from ..messages import ModelMessage

__all__ = ['checked_id', 'checked_limit', 'checked_store', 'conflict', 'OnOpen', 'Save', 'Store']

LONGEST_ID = 255  # characters

Save: TypeAlias = Literal['step', 'end']
"""The time of writing: after each answer and each return of a tool, or once at the end of the run."""
OnOpen: TypeAlias = Literal['run', 'drop', 'error']
"""Calls without a return after a crash: they are made, answered with a note, or raise an error."""


@runtime_checkable
class Store(Protocol):
    """A store of conversations: append-only logs of messages. The four methods are called in the caller's thread, and
    so in its transaction. A log also holds messages that are never sent (`ModelRequest.stands_for`): summaries of
    earlier messages, and marks of a rewind. A store treats all messages alike.
    """

    def load(self, id: str, /) -> tuple[Sequence[ModelMessage], int]:  # noqa: A002
        """The messages of a conversation and its version; none and 0 if there is none."""
        ...

    def append(self, id: str, version: int, messages: Sequence[ModelMessage], /) -> int:  # noqa: A002
        """Add messages, all or none of them; returns the new version.

        Raises:
            ConversationConflict: The conversation has another version.
        """
        ...

    def list(self, *, prefix: str = '', limit: int | None = None) -> Sequence[str]:
        """The ids that begin with `prefix`, those that changed last first."""
        ...

    def delete(self, id: str, /) -> None:  # noqa: A002
        """Remove a conversation and its files; one that is not there is no error."""
        ...


def checked_store(store: Any) -> Store:
    """The store.

    Raises:
        UserError: It lacks a method.
    """
    if isinstance(store, str):
        raise UserError(f'store must be a store, not the text {store!r:.100}: SQLiteStore({store!r:.100}), for a file')
    missing = [name for name in ('load', 'append', 'list', 'delete') if not callable(getattr(store, name, None))]
    if missing or isinstance(store, type):
        raise UserError(
            f'store must have load, append, list and delete, as SQLiteStore(...) has, not {store!r:.100}'
            + (': make one of the class first' if isinstance(store, type) else '')
        )
    checked: Store = store
    return checked


def checked_id(id: object) -> str:  # noqa: A002
    """The id of a conversation.

    Raises:
        UserError: It is no text, empty, or too long.
    """
    if not isinstance(id, str):
        raise UserError(f'The id of a conversation must be a str, not {id!r:.100}: write str(...) around it')
    if not id or len(id) > LONGEST_ID:
        raise UserError(f'The id of a conversation must have 1 to {LONGEST_ID} characters, and this one has {len(id)}')
    if '\0' in id or whole_text(id) is not id:
        raise UserError(f'The id of a conversation must be text that UTF-8 can hold, without NUL, not {id!r:.100}')
    return id


def checked_limit(limit: object) -> int | None:
    """The most ids that a list gives.

    Raises:
        UserError: It is no number from 1, and not None.
    """
    if limit is None or (isinstance(limit, int) and not isinstance(limit, bool) and limit > 0):
        return limit
    raise UserError(f'limit must be an integer above 0, or None, not {limit!r:.100}')


def conflict(id: str, version: int) -> ConversationConflict:  # noqa: A002
    """The error for a writer with an old version."""
    return ConversationConflict(
        f'Another writer has changed conversation {id!r} since it was loaded (version {version}), and nothing was '
        'written over it: ask again, which loads it again. `messages` has what this run said',
        id=id,
        version=version,
    )
