"""What a `with` gives: the faces of a stream, for synchronous callers and for coroutines on any event loop."""

from __future__ import annotations

from .response import StreamedResponseAsync, StreamedResponseSync

__all__ = ['StreamedResponseAsync', 'StreamedResponseSync']
