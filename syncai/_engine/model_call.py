"""One request to a model: the check, the deadline, and the answer, whole or as a stream."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, assert_never

from .._base.frozen import dataclass
from .._base.phases import Phases, phase
from .._bridge import open_async, open_sync, reader_limit
from ..content import FROM_OPENAI, of_openai
from ..events import (
    AgentStreamEvent,
    FinalResultEvent,
    FunctionToolCallEvent,
    FunctionToolResultEvent,
    PartEndEvent,
    ResponseEndEvent,
    ResultRefusedEvent,
    ToolCallPausedEvent,
)
from ..exceptions import DeadlineExceeded, ReaderTimeout, UserError
from ..messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    ModelResponsePart,
    ModelResponsePartDelta,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
    ToolCallPart,
    ToolCallPartDelta,
)
from ..models import Model, StreamedResponse, infer_model
from ..models._http.error_endings import failure_of
from ..models._route.payment import ask, ask_stream
from ..models._route.stand_in import model_to_ask
from ..parameters import ModelRequestParameters
from ..settings import ModelSettings, check_settings
from .checks import check_flag, check_parts
from .deadline import Deadline, deadline_exceeded
from .one_setting import setting
from .ready_messages import ready_messages
from .whole_history import continues_on_server, whole_history

if TYPE_CHECKING:
    from .._bridge import AsyncConsumer, Channel, SyncConsumer

Emit = Callable[[list[Any]], Awaitable[None]]
"""Takes a batch of events; returns when there is room for more."""
Offer = Callable[[list[Any]], bool]
"""Takes a batch of events at once, or returns False: it must be emitted."""
Announce = Callable[[StreamedResponse], Awaitable[None]]
Opened = Callable[[StreamedResponse], object]
"""Both take a begun answer, on the loop thread, before its first event."""

_NO_DEADLINE = nullcontext()
_EVENT_OVERHEAD = 100  # bytes: an event without its text


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelCall:
    """A checked request, ready to be sent any number of times."""

    model: Model
    messages: Sequence[ModelMessage]
    settings: ModelSettings
    parameters: ModelRequestParameters
    phases: Phases | None = None
    """The phases of the run around this request, if it has a deadline that observes them."""

    @classmethod
    def checked(
        cls,
        model: Model | str,
        messages: Sequence[ModelMessage],
        settings: ModelSettings | None,
        parameters: ModelRequestParameters | None,
        *,
        repair_history: bool = True,
    ) -> ModelCall:
        """The call, after all checks that are possible before sending it.

        Raises:
            UserError: Naming the argument and the remedy.
        """
        _check_messages(messages)
        if parameters is not None and not isinstance(parameters, ModelRequestParameters):
            raise UserError(f'model_request_parameters must be a ModelRequestParameters, not {parameters!r:.100}')
        check_settings(settings)
        check_flag('repair_history', repair_history)
        model, settings = model_to_ask(model) or infer_model(model), settings or {}
        if not continues_on_server(model, settings):
            messages = whole_history(messages, name='messages', repair=repair_history)
        return cls(
            model=model,
            messages=ready_messages(messages),
            settings=settings,
            parameters=parameters or ModelRequestParameters(),
        )

    @property
    def timeout(self) -> float | None:
        """The deadline of the whole call, in seconds from its start, or None."""
        timeout: float | None = setting(self.model, self.settings, 'timeout')
        return timeout

    async def request(self) -> ModelResponse:
        """The whole answer."""
        if self.timeout is None:
            return await self._answer()
        async with self._deadline(lambda: None, 'The answer did not end'):
            return await self._answer()

    async def _answer(self) -> ModelResponse:
        with phase('model request'):
            response = await ask(self.model, self.messages, self.settings, self.parameters)
        return _not_failed(response)

    async def stream(self, emit: Emit, opened: Announce, offer: Offer | None = None) -> ModelResponse:
        """The whole answer, after its events were emitted in batches.

        Args:
            emit: Takes each batch of events.
            opened: Takes the answer once it has begun, before its first event.
            offer: Takes batches in place of `emit`, where it can do so at once.
        """
        response: StreamedResponse | None = None
        deadline = self._deadline(lambda: response, 'Stream failed to initialize')
        async with deadline, reader_limit(lambda seconds: self._not_read(seconds, response)):
            with phase('first event') as waiting:
                async with ask_stream(self.model, self.messages, self.settings, self.parameters) as response:
                    await opened(response)
                    if offer is not None:
                        response.hand_over(offer)
                    async for batch in response.batches():
                        waiting.become('next event')
                        await emit(batch)
                        del batch  # the stream may hand over all others: this one is not held meanwhile
                    return _not_failed(response.get())
        raise AssertionError('unreachable: no context manager above swallows exceptions')

    def open_sync(self, opened: Opened) -> SyncConsumer[ModelResponse]:
        """The started call, for a thread that takes its events; an empty batch follows the call of `opened`."""
        model, work = self.model, partial(self._into, opened)
        limits, reader_timeout = model.silence_limits, model.reader_timeout
        return open_sync(work, weigh=weigh_events, silence_limits=limits, reader_timeout=reader_timeout)

    def open_async(self, opened: Opened) -> AsyncConsumer[ModelResponse]:
        """The started call, for a coroutine on the running loop that takes its events."""
        model, work = self.model, partial(self._into, opened)
        limits, reader_timeout = model.silence_limits, model.reader_timeout
        return open_async(work, weigh=weigh_events, silence_limits=limits, reader_timeout=reader_timeout)

    def _into(self, opened: Opened, channel: Channel[ModelResponse]) -> Awaitable[ModelResponse]:
        async def announce(response: StreamedResponse) -> None:
            opened(response)
            await channel.wake_reader()

        return self.stream(channel.emit, announce, channel.offer)

    def _not_read(self, seconds: float, response: StreamedResponse | None) -> ReaderTimeout:
        return ReaderTimeout(
            f'The stream was stopped, since nobody read what had arrived for reader_timeout ({seconds:g} s): read it '
            'on, close it where it is not needed any more, or set a longer HttpOptions.reader_timeout',
            model_name=self.model.model_name,
            provider=self.model.system,
            partial=response.get() if response else None,
        )

    def _deadline(
        self, arrived: Callable[[], StreamedResponse | None], problem: str
    ) -> AbstractAsyncContextManager[None]:
        """The deadline of the call, if it has a timeout; within a run its phases count for the run.

        Args:
            arrived: The answer as far as it has arrived.
            problem: The error text if nothing has arrived.
        """
        timeout = self.timeout
        if timeout is None:
            return _NO_DEADLINE
        phases = self.phases or Phases()

        def late() -> DeadlineExceeded:
            answer = arrived()
            return deadline_exceeded(
                f'{"The answer did not end" if answer else problem} within timeout '
                f'({timeout:g} s, model {self.model.model_name!r})',
                'set a longer `timeout` in model_settings',
                phases,
                limit=timeout,
                model_name=self.model.model_name,
                provider=self.model.system,
                partial=answer.get() if answer else None,
            )

        return Deadline(timeout, late, None if self.phases else phases)


def _not_failed(response: ModelResponse) -> ModelResponse:
    if (failure := failure_of(response)) is not None:
        raise failure
    return response


def _check_messages(messages: Sequence[ModelMessage]) -> None:
    if (
        not isinstance(messages, Sequence)
        or isinstance(messages, str)
        or not all(isinstance(m, ModelRequest | ModelResponse) for m in messages)
    ):
        if of_openai(messages):
            raise UserError(FROM_OPENAI.format('messages'))
        raise UserError(
            'messages must be a list of ModelRequest and ModelResponse; '
            'for a plain question: [ModelRequest.user_text_prompt("...")]'
        )
    check_parts(messages)
    if any(message.kind == 'request' and not message.parts and not message.pending for message in messages):
        raise UserError('messages holds a ModelRequest without parts: leave it out, or say something in it')
    if not messages:
        raise UserError('messages is empty: the model needs at least one, as [ModelRequest.user_text_prompt("...")]')


def weigh_events(batch: Sequence[Any]) -> int:
    """The approximate size in bytes of a batch of stream events."""
    return sum(_weigh(event) for event in batch)


def _weigh(event: AgentStreamEvent) -> int:
    if isinstance(event, PartDeltaEvent):
        return _EVENT_OVERHEAD + len(_text_of_delta(event.delta) or '')
    if isinstance(event, PartStartEvent):
        return _EVENT_OVERHEAD + len(_text_of_part(event.part) or '')
    if isinstance(event, PartEndEvent | ResponseEndEvent | FinalResultEvent | ResultRefusedEvent):
        return _EVENT_OVERHEAD
    if isinstance(event, FunctionToolCallEvent | FunctionToolResultEvent | ToolCallPausedEvent):
        return _EVENT_OVERHEAD
    assert_never(event)


def _text_of_delta(delta: ModelResponsePartDelta) -> str | None:
    if isinstance(delta, TextPartDelta | ThinkingPartDelta):
        return delta.content_delta
    if isinstance(delta, ToolCallPartDelta):
        return delta.args_delta
    assert_never(delta)


def _text_of_part(part: ModelResponsePart) -> str | dict[str, Any] | None:
    if isinstance(part, TextPart | ThinkingPart):
        return part.content
    if isinstance(part, ToolCallPart):
        return part.args
    assert_never(part)
