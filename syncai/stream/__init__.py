"""What a `with` gives: the faces of a stream, for synchronous callers and for coroutines on any event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

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


def __getattr__(name: str) -> object:
    # Imported when first used: a request without an agent does without the streams of a run.
    if name not in __all__:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    from importlib import import_module

    home = _HOMES[name.removesuffix('Async').removesuffix('Sync')]
    value = globals()[name] = getattr(import_module(f'.{home}', __name__), name)
    return value
