"""Turns of TLS handshakes: a running handshake needs much more memory than its connection later."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context

from .._base.phases import names_wait

__all__ = ['Handshakes']

_AT_ONCE = 64
_SECONDS = 0.04  # seconds of a turn; so even with distant servers, 1,600 begin per second


class Handshakes:
    """The handshakes of one loop, a few at a time, since the loop can only compute one. A turn ends with its handshake
    or after a time, so silent or distant servers do not delay others.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._places = asyncio.Semaphore(_AT_ONCE)

    @names_wait('its turn for a TLS handshake')
    async def turn(self) -> Callable[[], None]:
        """Wait for a turn; returns the function that ends it, which must be called."""
        await self._places.acquire()
        over = False

        def end() -> None:
            nonlocal over
            if not over:
                over = True
                timer.cancel()
                self._places.release()

        timer = self._loop.call_later(_SECONDS, end, context=Context())
        return end
