"""Opening and closing the stream of a run, with errors for the wrong kind of use.

Type checkers do not see the methods that raise these errors, and so report such code themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from ..exceptions import UserError

if TYPE_CHECKING:
    from types import TracebackType

    from ._source import AsyncSource, SyncSource


# Not `Self`: so static completion (jedi) also offers the attributes of the subclass.
SyncFaceT = TypeVar('SyncFaceT', bound='SyncFace')
AsyncFaceT = TypeVar('AsyncFaceT', bound='AsyncFace')

_LASTING = 'Its result and all_messages() can be'


class Owned:
    """An owner of a call. It cannot be copied: a copy would be a second owner, and another process has no call."""

    _lasting: str
    """The value that can be copied and pickled instead."""

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        """Refuse to be copied or pickled."""
        raise UserError(f'{type(self).__name__} cannot be copied or pickled: its connection is here. {self._lasting}')


class SyncFace(Owned):
    """A stream for `with` and `for`."""

    _source: SyncSource[Any]
    _lasting = _LASTING

    def __enter__(self: SyncFaceT) -> SyncFaceT:
        """Start the run; does not wait for it."""
        self._source.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop the run, and wait until its connection is closed."""
        self.close()

    def close(self) -> bool:
        """Stop the run and close its connection; any thread may do so, any number of times.

        Returns:
            Whether the run is over; ending takes milliseconds.
        """
        return self._source.close()

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


class AsyncFace(Owned):
    """A stream for `async with` and `async for`."""

    _source: AsyncSource[Any]
    _lasting = _LASTING

    async def __aenter__(self: AsyncFaceT) -> AsyncFaceT:
        """Start the run; does not wait for it."""
        self._source.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop the run, and wait until its connection is closed."""
        await self.close()

    async def close(self) -> bool:
        """Stop the run and close its connection; returns whether it is over."""
        return await self._source.close()

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
