"""The objects of a `with` block of a stream: for synchronous callers, and for coroutines on any event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._base.lazy import importer

if TYPE_CHECKING:
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

_HOMES = {'StreamedResponse': 'response', 'StreamedRunEvents': 'events', 'StreamedRunResult': 'run'}

# Imported on first use: a request without an agent does not need the streams of a run.
if not TYPE_CHECKING:
    __getattr__ = importer(
        __name__, {name: _HOMES[name.removesuffix('Async').removesuffix('Sync')] for name in __all__}
    )
