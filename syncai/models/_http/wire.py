"""The classes and functions of the transport that models use; the transport is imported at the first request.

An import within a function takes 2 µs at each call, even of a module that is loaded; these take a twentieth of that.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from ..._base.system import FREE_DESCRIPTORS, is_out_of_descriptors
from ...exceptions import AgentRunError, ModelConnectionError

if TYPE_CHECKING:
    from ..._transport.client import HttpClient
    from ..._transport.forms import ArrivedEvents
    from ..._transport.request import HttpRequest
    from ...settings import HttpOptions
    from .._interface import Model

__all__ = ['events_reader', 'explain', 'request_type', 'shared_clients']


@cache
def request_type() -> type[HttpRequest]:
    """The class of requests."""
    from ..._transport.request import HttpRequest

    return HttpRequest


@cache
def shared_clients() -> Callable[[HttpOptions], HttpClient]:
    """The function that returns the client of the running loop for these options."""
    from ..._transport.client import shared_client

    return shared_client


@cache
def events_reader() -> Callable[..., ArrivedEvents | None]:
    """The function that returns the events in a whole body, or None for one JSON value."""
    from ..._transport.forms import events_in

    return events_in


def explain(error: BaseException, hide_keys_in: Callable[[AgentRunError], None] | None, model: Model) -> None:
    """Hide keys in an error about an answer.

    Raises:
        ModelConnectionError: No descriptor is left, such as for a module that reads the answer.
    """
    if isinstance(error, AgentRunError):
        if hide_keys_in is not None:
            hide_keys_in(error)
    elif is_out_of_descriptors(error):
        message = f'the answer of {model.system} cannot be read: Too many open files: {FREE_DESCRIPTORS}'
        raise ModelConnectionError(message, provider=model.system, model_name=model.model_name) from None
