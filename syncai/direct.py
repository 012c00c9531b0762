"""A model asked directly, without an agent: whole or streamed, synchronously or from a coroutine.

All four take the arguments that `model_request_sync` describes, and raise the same errors: `UserError` where the call
itself is wrong, before anything is sent, and otherwise the `AgentRunError` whose class says what to do (see
`syncai.exceptions`).
"""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

from ._base.call_hints import explaining_arguments
from ._base.missing_await import Unawaited, marked_async
from ._base.other_arguments import OF_MESSAGES
from ._base.tracebacks import only_user_frames
from ._bridge import loop_thread, run_async, run_sync
from ._engine.model_call import ModelCall
from ._engine.traced_call import traced, tracing_of
from ._stores.pending import write_what_is_left
from ._transport import close_clients
from .instrumentation import InstrumentationSettings
from .messages import ModelMessage, ModelResponse
from .models import KnownModelName, Model
from .parameters import ModelRequestParameters
from .settings import ModelSettings
from .stream import StreamedResponseAsync, StreamedResponseSync
from .stream._block import ResponseBlock

__all__ = [
    'model_request',
    'model_request_stream',
    'model_request_stream_sync',
    'model_request_sync',
    'StreamedResponseSync',
]

STREAM_INITIALIZATION_TIMEOUT = 30
"""Seconds that `get()`, `usage()`, `model_name` and `timestamp` of a `StreamedResponseSync` wait for the answer to
begin; read at each use. Iterating over the stream keeps to the limits of the request alone."""

loop_thread.on_shutdown(close_clients)
loop_thread.on_shutdown(write_what_is_left)


def _initialization_timeout() -> float:
    return STREAM_INITIALIZATION_TIMEOUT


def _checked(
    model: Model | str,
    messages: Sequence[ModelMessage],
    settings: ModelSettings | None,
    parameters: ModelRequestParameters | None,
    instrument: InstrumentationSettings | bool | None,
    repair_history: bool,
) -> ModelCall:
    call = ModelCall.checked(model, messages, settings, parameters, repair_history=repair_history)
    return traced(call, tracing_of(instrument))


def model_request_sync(
    model: Model | KnownModelName | str,
    messages: Sequence[ModelMessage],
    *,
    model_settings: ModelSettings | None = None,
    model_request_parameters: ModelRequestParameters | None = None,
    instrument: InstrumentationSettings | bool | None = None,
    repair_history: bool = True,
) -> ModelResponse:
    """The model's whole answer; waits for it in this thread. Works in any thread, even inside a running event loop.

    Args:
        model: `'provider:name'`, such as `'openai:gpt-5.4-mini'`, or a `Model`.
        messages: The conversation so far; for a plain question `[ModelRequest.user_text_prompt('...')]`.
        model_settings: How to answer; `timeout` is the deadline of the whole call, in seconds.
        model_request_parameters: Tools the model may call, and the form its answer must have.
        instrument: Whether the call is traced by OpenTelemetry; None does as `Agent.instrument_all` says.
        repair_history: Whether messages that providers would refuse, such as a call without its return, are sent as a
            repaired copy, with a warning in the log; False makes them a `UserError`.

    Raises:
        UserError: The call is wrong; nothing was sent.
        AgentRunError: The request failed; the class says what to do.
    """
    with only_user_frames:
        call = _checked(model, messages, model_settings, model_request_parameters, instrument, repair_history)
        return run_sync(call.request, name='model request', silence_limits=call.model.silence_limits)


@marked_async
def model_request(
    model: Model | KnownModelName | str,
    messages: Sequence[ModelMessage],
    *,
    model_settings: ModelSettings | None = None,
    model_request_parameters: ModelRequestParameters | None = None,
    instrument: InstrumentationSettings | bool | None = None,
    repair_history: bool = True,
) -> Coroutine[Any, Any, ModelResponse]:
    """The model's whole answer, to be awaited on any event loop; arguments and errors as in `model_request_sync`."""

    async def request() -> ModelResponse:
        with only_user_frames:
            call = _checked(model, messages, model_settings, model_request_parameters, instrument, repair_history)
            return await run_async(call.request, name='model request', silence_limits=call.model.silence_limits)

    return Unawaited(request(), 'model_request', 'model_request_sync')


def model_request_stream_sync(
    model: Model | KnownModelName | str,
    messages: Sequence[ModelMessage],
    *,
    model_settings: ModelSettings | None = None,
    model_request_parameters: ModelRequestParameters | None = None,
    instrument: InstrumentationSettings | bool | None = None,
    repair_history: bool = True,
) -> StreamedResponseSync:
    """The model's answer as it arrives, to be read in a `with` block; arguments and errors as in `model_request_sync`.

    Errors of the request are raised where the stream is read.
    """
    with only_user_frames:
        call = _checked(model, messages, model_settings, model_request_parameters, instrument, repair_history)
        return StreamedResponseSync(call.open_sync, call.model, _initialization_timeout)


def model_request_stream(
    model: Model | KnownModelName | str,
    messages: Sequence[ModelMessage],
    *,
    model_settings: ModelSettings | None = None,
    model_request_parameters: ModelRequestParameters | None = None,
    instrument: InstrumentationSettings | bool | None = None,
    repair_history: bool = True,
) -> AbstractAsyncContextManager[StreamedResponseAsync]:
    """The model's answer as it arrives, to be read in an `async with` block on any event loop.

    Arguments and errors are those of `model_request_sync`.
    """
    with only_user_frames:
        call = _checked(model, messages, model_settings, model_request_parameters, instrument, repair_history)
        return ResponseBlock(call.open_async)


if not TYPE_CHECKING:
    for _function in (model_request, model_request_sync, model_request_stream, model_request_stream_sync):
        _name = _function.__name__
        globals()[_name] = explaining_arguments(_function, f'{_name}()', OF_MESSAGES)
