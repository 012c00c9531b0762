"""One request to a model: checked, given its deadline, and answered whole or as a stream."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..exceptions import DeadlineExceeded, SyncAIError, UserError
from ..messages import ModelMessage, ModelRequest, ModelResponse, PartDeltaEvent, PartStartEvent
from ..models import Model, ModelRequestParameters, StreamedResponse, infer_model
from ..settings import ModelSettings, check_settings, merge_settings

if TYPE_CHECKING:
    from .._bridge import Channel

WAITED_FOR_SLOT = 'connection slot'  # what the transport says of a cancelled wait
_EVENT_OVERHEAD = 100  # bytes: an event without its text


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelCall:
    """A checked request, ready to be sent any number of times."""

    model: Model
    messages: Sequence[ModelMessage]
    settings: ModelSettings
    parameters: ModelRequestParameters

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
        async with self._deadline(lambda: None):
            return await self.model.request(self.messages, self.settings, self.parameters)

    async def stream(self, emit: Callable[[list[Any]], Awaitable[None]]) -> ModelResponse:
        """The whole answer, after it was emitted in batches: the stream itself first, then its events."""
        response: StreamedResponse | None = None
        async with (
            self._deadline(lambda: response, streamed=True),
            self.model.request_stream(self.messages, self.settings, self.parameters) as opened,
        ):
            response = opened
            await emit([response])
            async for batch in response.batches():
                await emit(batch)
            return response.get()
        raise AssertionError('unreachable: no context manager above swallows exceptions')

    def into(self, channel: Channel[ModelResponse]) -> Awaitable[ModelResponse]:
        """The work of a channel that streams this call."""
        return self.stream(channel.emit)

    @asynccontextmanager
    async def _deadline(
        self, response: Callable[[], StreamedResponse | None], *, streamed: bool = False
    ) -> AsyncIterator[None]:
        import asyncio

        try:
            async with asyncio.timeout(self.timeout) as scope:
                yield
        except TimeoutError as error:
            if not scope.expired() or isinstance(error, SyncAIError):
                raise
            arrived = response()
            queued = waited_for_slot(error)
            phase = WAITED_FOR_SLOT if queued else 'next event' if arrived else 'first event' if streamed else 'call'
            raise self._too_late(phase, arrived.get() if arrived else None, streamed) from None

    def _too_late(self, phase: str, partial: ModelResponse | None, streamed: bool) -> DeadlineExceeded:
        what = 'The answer did not end' if partial or not streamed else 'Stream failed to initialize'
        name = self.model.model_name
        waited = ' while waiting for a free connection' if phase == WAITED_FOR_SLOT else ''
        return DeadlineExceeded(
            f'{what} within timeout{waited} ({self.timeout:g} s, model {name!r}): '
            'set a longer `timeout` in model_settings',
            phase=phase,
            limit=self.timeout,
            model_name=name,
            provider=self.model.system,
            partial=partial,
        )


def waited_for_slot(error: TimeoutError) -> bool:
    """Whether what a timeout interrupted was the wait for a connection slot."""
    return WAITED_FOR_SLOT in getattr(error.__cause__, 'args', ())


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
