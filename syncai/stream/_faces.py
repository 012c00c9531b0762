"""Errors for a stream that is opened or read in the way of its sibling.

Type checkers do not see these methods, and so refuse such code by themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from ..exceptions import UserError


class SyncFace:
    """A stream for `with` and `for`."""

    if not TYPE_CHECKING:

        async def __aenter__(self) -> NoReturn:
            raise self._for_sync_code()

        async def __aexit__(self, *error: Any) -> None: ...

        def __aiter__(self) -> NoReturn:
            raise self._for_sync_code()

    def _for_sync_code(self) -> UserError:
        return UserError(
            f'{type(self).__name__} is for synchronous code: write `with` and `for`, or take the method of the agent '
            'without _sync for `async with` and `async for`'
        )


class AsyncFace:
    """A stream for `async with` and `async for`."""

    if not TYPE_CHECKING:

        def __enter__(self) -> NoReturn:
            raise self._for_coroutines()

        def __exit__(self, *error: Any) -> None: ...

        def __iter__(self) -> NoReturn:
            raise self._for_coroutines()

    def _for_coroutines(self) -> UserError:
        return UserError(
            f'{type(self).__name__} is for coroutines: write `async with` and `async for`, or take the method of the '
            'agent that ends in _sync for `with` and `for`'
        )
