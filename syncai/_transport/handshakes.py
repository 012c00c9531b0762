"""Turns of TLS handshakes: one under way takes much more memory than the connection that comes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context

from .._base.phases import names_wait

__all__ = ['Handshakes']

_AT_ONCE = 64
_SECONDS = 0.04  # a turn; so even where the way to a server takes long, 1,600 a second begin


class Handshakes:
    """Those of one loop, of which few go on at once: the loop works on one at a time anyway.

    A turn is over with its handshake, and by time, so that servers that are silent or far away hold up nobody else.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._places = asyncio.Semaphore(_AT_ONCE)

    @names_wait('its turn for a TLS handshake')
    async def turn(self) -> Callable[[], None]:
        """Wait for a turn; what comes back ends it, and must be called."""
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
