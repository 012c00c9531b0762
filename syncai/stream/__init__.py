"""What a `with` gives: the faces of a stream, for synchronous callers and for coroutines on any event loop."""

from __future__ import annotations

from .events import StreamedRunEvents, StreamedRunEventsSync
from .response import StreamedResponseAsync, StreamedResponseSync
from .run import StreamedRunResult, StreamedRunResultSync

__all__ = [
    'StreamedResponseAsync',
    'StreamedResponseSync',
    'StreamedRunEvents',
    'StreamedRunEventsSync',
    'StreamedRunResult',
    'StreamedRunResultSync',
]
