"""One request to a model: checked, given its deadline, and answered whole or as a stream."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .._phases import Phases, phase
from ..exceptions import DeadlineExceeded, ModelAPIError, SyncAIError, UserError
from ..messages import ModelMessage, ModelRequest, ModelResponse, PartDeltaEvent, PartStartEvent
from ..models import Model, ModelRequestParameters, StreamedResponse, infer_model
from ..settings import ModelSettings, check_settings, merge_settings

if TYPE_CHECKING:
    from .._bridge import Channel

_EVENT_OVERHEAD = 100  # bytes: an event without its text


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelCall:
    """A checked request, ready to be sent any number of times."""

    model: Model
    messages: Sequence[ModelMessage]
    settings: ModelSettings
    parameters: ModelRequestParameters
    phases: Phases | None = None
    """Those of the run that this request is a part of; None for a request by itself."""

    @classmethod
    def checked(
        cls,
        model: Model | str,
        messages: Sequence[ModelMessage],
        settings: ModelSettings | None,
        parameters: ModelRequestParameters | None,
    ) -> ModelCall:
        """The call, once everything that can be known to be wrong before sending it was ruled out.

        Raises:
            UserError: Naming the argument and the remedy.
        """
        if (
            not isinstance(messages, Sequence)
            or isinstance(messages, str)
            or not all(isinstance(m, ModelRequest | ModelResponse) for m in messages)
        ):
            raise UserError(
                'messages must be a list of ModelRequest and ModelResponse; '
                'for a plain question: [ModelRequest.user_text_prompt("...")]'
            )
        if parameters is not None and not isinstance(parameters, ModelRequestParameters):
            raise UserError(f'model_request_parameters must be a ModelRequestParameters, not {parameters!r:.100}')
        if any(not message.parts and message.kind == 'request' for message in messages):
            raise UserError('messages holds a ModelRequest without parts: leave it out, or say something in it')
        if not messages:
            raise UserError(
                'messages is empty: the model needs at least one, as [ModelRequest.user_text_prompt("...")]'
            )
        check_settings(settings)
        return cls(
            model=infer_model(model),
            messages=list(messages),
            settings=settings or {},
            parameters=parameters or ModelRequestParameters(),
        )

    @property
    def timeout(self) -> float | None:
        """The deadline of the whole call, in seconds from its start, or None."""
        return merge_settings(getattr(self.model, 'settings', None), self.settings).get('timeout')

    async def request(self) -> ModelResponse:
        """The whole answer."""
        async with self._deadline('model request', lambda: None):
            return await self.model.request(self.messages, self.settings, self.parameters)

    async def stream(self, emit: Callable[[list[Any]], Awaitable[None]]) -> ModelResponse:
        """The whole answer, after it was emitted in batches: the stream itself first, then its events."""
        response: StreamedResponse | None = None
        async with (
            self._deadline('first event', lambda: response) as waiting,
            self.model.request_stream(self.messages, self.settings, self.parameters) as opened,
        ):
            response = opened
            await emit([response])
            async for batch in response.batches():
                waiting.become('next event')
                await emit(batch)
            return response.get()
        raise AssertionError('unreachable: no context manager above swallows exceptions')

    def into(self, channel: Channel[ModelResponse]) -> Awaitable[ModelResponse]:
        """The work of a channel that streams this call."""
        return self.stream(channel.emit)

    @asynccontextmanager
    async def _deadline(self, doing: str, response: Callable[[], StreamedResponse | None]) -> AsyncIterator[phase]:
        import asyncio

        phases = self.phases or Phases()
        try:
            with nullcontext() if self.phases else phases.observed():
                async with asyncio.timeout(self.timeout) as scope:
                    with phase(doing) as waiting:
                        yield waiting
        except TimeoutError as error:
            if not scope.expired() or isinstance(error, SyncAIError):
                raise
            arrived = response()
            begun = arrived is not None or doing == 'model request'
            what = 'The answer did not end' if begun else 'Stream failed to initialize'
            raise deadline_exceeded(
                f'{what} within timeout ({self.timeout:g} s, model {self.model.model_name!r})',
                'set a longer `timeout` in model_settings',
                phases,
                limit=self.timeout,
                model_name=self.model.model_name,
                provider=self.model.system,
                partial=arrived.get() if arrived else None,
            ) from None


def deadline_exceeded(what: str, remedy: str, phases: Phases, **context: Any) -> DeadlineExceeded:
    """The error of a deadline that interrupted one of the phases."""
    phase, failure = phases.interrupted or 'start', phases.failure
    if isinstance(failure, ModelAPIError):
        what += f', after {failure.attempts} attempts, the last of which failed ({type(failure).__name__})'
        context |= {name: getattr(failure, name) for name in ('attempts', 'request_id', 'retry_after')}
    return DeadlineExceeded(
        f'{what}: the time ran out in the phase {phase!r}; {remedy}', phase=phase, phases=phases.spent(), **context
    )


def weigh_events(batch: Sequence[Any]) -> int:
    """The size in bytes, about, of a batch of stream events."""
    return sum(_weigh(event) for event in batch)


def _weigh(event: Any) -> int:
    if isinstance(event, PartDeltaEvent):
        delta: Any = event.delta
        text = getattr(delta, 'content_delta', None) or getattr(delta, 'args_delta', None) or ''
    elif isinstance(event, PartStartEvent):
        part: Any = event.part
        text = getattr(part, 'content', None) or getattr(part, 'args', None) or ''
    else:
        text = ''
    return _EVENT_OVERHEAD + len(text)
