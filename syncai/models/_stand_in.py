"""What is asked in place of the providers: a server, as the fixture `model_server` puts there, or what is on a tape."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

from ._choice import chosen_model
from ._infer import infer_model
from ._interface import Model

__all__ = ['begin_recording', 'end_recording', 'model_beneath', 'model_to_ask', 'Recorder', 'served_by']

_base_urls: list[str] = []
"""The last one is in force. The thread that runs the test changes it; others read it."""


class Recorder(Protocol):
    """What stands between the callers and the models while its block is open: a tape."""

    def in_place_of(self, model: Model | str) -> Model | None:
        """What is asked in place of this model, or None for the model itself."""


_own_recorders: ContextVar[tuple[Recorder, ...]] = ContextVar('syncai_recorders', default=())
"""Those that this context entered, the innermost last; one that is closed meanwhile may be among them."""

_recorders: list[Recorder] = []
"""Those that are open, in all threads. Threads that enter and leave a block append and remove; others read."""


@contextmanager
def served_by(base_url: str) -> Iterator[None]:
    """Inside the block, in all threads, requests to providers go to the server at this address."""
    _base_urls.append(base_url)
    try:
        yield
    finally:
        _base_urls.remove(base_url)


def begin_recording(recorder: Recorder) -> None:
    """From now on calls go through the recorder: those of this context, and those of contexts without one."""
    _own_recorders.set((*_own_recorders.get(), recorder))
    _recorders.append(recorder)


def end_recording(recorder: Recorder) -> None:
    """Undo one `begin_recording`; also in another context, as a fixture or a generator may be left in one."""
    _recorders.remove(recorder)
    own = list(_own_recorders.get())
    if recorder in own:
        own.reverse()
        own.remove(recorder)
        _own_recorders.set(tuple(reversed(own)))


def model_to_ask(model: Model | str | None) -> Model | None:
    """What is asked in place of this model; None if nothing stands in for it."""
    if _recorders and (recorder := _in_force()) is not None:
        return recorder.in_place_of(chosen_model() if model is None else model) or _served(model)
    return _served(model)


def model_beneath(model: Model | str) -> Model:
    """What a recorder asks for what it does not have."""
    return _served(model) or infer_model(model)


def _served(model: Model | str | None) -> Model | None:
    if not _base_urls:
        return None
    from ._at_address import asked_at

    return asked_at(_base_urls[-1], model)


def _in_force() -> Recorder | None:
    is_open = _recorders.copy().__contains__
    return next(filter(is_open, reversed(_own_recorders.get())), None) or next(reversed(_recorders), None)
