"""Stand-ins for the providers: a server, such as that of the fixture `model_server`, or a tape."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

from .._infer import infer_model
from .._interface import Model
from .choice import chosen_model

__all__ = ['begin_recording', 'end_recording', 'model_beneath', 'model_to_ask', 'Recorder', 'served_by']

_base_urls: list[str] = []
"""The last entry is in force. The thread of the test changes it; others read it."""


class Recorder(Protocol):
    """A tape, which stands between the callers and the models while its block is open."""

    def in_place_of(self, model: Model | str) -> Model | None:
        """The stand-in for this model, or None for the model itself."""


_own_recorders: ContextVar[tuple[Recorder, ...]] = ContextVar('syncai_recorders', default=())
"""Those that this context entered, the innermost last; one that is closed meanwhile may be among them."""

_recorders: list[Recorder] = []
"""Those that are open, in all threads. Threads that enter and leave a block append and remove; others read."""


@contextmanager
def served_by(base_url: str) -> Iterator[None]:
    """Send requests to providers to the server at this address, inside the block, in all threads."""
    _base_urls.append(base_url)
    try:
        yield
    finally:
        _base_urls.remove(base_url)


def begin_recording(recorder: Recorder) -> None:
    """Route calls through the recorder from now on: those of this context, and of contexts without a recorder."""
    _own_recorders.set((*_own_recorders.get(), recorder))
    _recorders.append(recorder)


def end_recording(recorder: Recorder) -> None:
    """Undo one `begin_recording`, possibly in another context, as for a fixture or a generator."""
    _recorders.remove(recorder)
    own = list(_own_recorders.get())
    if recorder in own:
        own.reverse()
        own.remove(recorder)
        _own_recorders.set(tuple(reversed(own)))


def model_to_ask(model: Model | str | None) -> Model | None:
    """The stand-in for this model, or None."""
    if _recorders and (recorder := _in_force()) is not None:
        return recorder.in_place_of(chosen_model() if model is None else model) or _served(model)
    return _served(model)


def model_beneath(model: Model | str) -> Model:
    """The model that a recorder uses for unrecorded requests."""
    return _served(model) or infer_model(model)


def _served(model: Model | str | None) -> Model | None:
    if not _base_urls:
        return None
    from .other_address import asked_at

    return asked_at(_base_urls[-1], model)


def _in_force() -> Recorder | None:
    is_open = _recorders.copy().__contains__
    return next(filter(is_open, reversed(_own_recorders.get())), None) or next(reversed(_recorders), None)
