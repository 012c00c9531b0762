"""Models and streamed answers: the interface that every provider implements."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime

from .._base.values import now_utc
from ..messages import FinishReason, ModelMessage, ModelResponse, ModelResponseStreamEvent
from ..parameters import ModelRequestParameters, ResultSchema
from ..settings import ModelSettings
from ..usage import Usage
from ._http.parts import PartsBuilder

__all__ = ['Model', 'OuterStream', 'StreamedResponse']


class Model(ABC):
    """A language model.

    Attributes:
        settings: Settings for every call; a call's own settings override them.
        silence_limits: Seconds that the first event and any later one may take; a longer wait of the caller logs a
            warning. None without such limits, as for models without HTTP.
        reader_timeout: Seconds that the reader of a stream may pause while events are ready; None for no limit.
        pays_itself: Whether it charges budgets for its requests; for other models the caller does.
        stream_name: The class of its streams, for the repr of one whose answer has not begun.
    """

    settings: ModelSettings | None = None
    silence_limits: tuple[float, float] | None = None
    reader_timeout: float | None = None
    pays_itself: bool = False
    stream_name: str = 'StreamedResponse'

    @property
    @abstractmethod
    def model_name(self) -> str:
        """The model's name, without its provider."""

    @property
    @abstractmethod
    def system(self) -> str:
        """The provider's name."""

    @abstractmethod
    async def request(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """The whole answer."""

    @abstractmethod
    def request_stream(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> AbstractAsyncContextManager[StreamedResponse]:
        """The answer as it arrives; leaving the context closes the connection."""

    def holds_schema(self, schema: ResultSchema) -> bool:
        """Whether an answer with this schema and without function tools is sure to match it."""
        del schema
        return False

    def __repr__(self) -> str:
        return f'{type(self).__name__}({self.model_name!r})'


Offer = Callable[[list[ModelResponseStreamEvent]], bool]
"""Takes a batch of events at once, or returns False and leaves it."""


class StreamedResponse(ABC):
    """An answer as it arrives. Only the loop thread writes it. Any thread may call `get`, `usage` and the properties:
    they read fields that are replaced whole, or lists that only grow.
    """

    def __init__(self, model_name: str, provider_name: str | None = None) -> None:
        self._builder = PartsBuilder()
        self._model_name = model_name
        self._provider_name = provider_name
        self._timestamp = now_utc()
        self._usage = Usage()
        self._response_id: str | None = None
        self._finish_reason: FinishReason | None = None
        self._provider_finish_reason: str | None = None
        self._complete = False

    @abstractmethod
    def batches(self) -> AsyncIterator[list[ModelResponseStreamEvent]]:
        """The events in lists, one list for each network read."""

    def hand_over(self, offer: Offer) -> None:
        """Allow the answer to give batches to `offer`, on the loop thread, in place of `batches`.

        It saves a step of the task for each; an answer that knows no way to do so does nothing.

        Args:
            offer: Takes batches; `batches` has those that it leaves.
        """
        del offer

    async def __aiter__(self) -> AsyncIterator[ModelResponseStreamEvent]:
        """The events one by one."""
        async for batch in self.batches():
            for event in batch:
                yield event

    def get(self) -> ModelResponse:
        """The answer as far as it has arrived; `incomplete` until its end was seen."""
        return ModelResponse(
            parts=self._builder.parts(),
            usage=self.usage(),
            model_name=self._model_name,
            timestamp=self._timestamp,
            provider_name=self._provider_name,
            provider_response_id=self._response_id,
            finish_reason=self._finish_reason,
            provider_finish_reason=self._provider_finish_reason,
            incomplete=not self._complete,
        )

    def usage(self) -> Usage:
        """What the request has used, as far as the provider has reported."""
        return self._usage

    @property
    def model_name(self) -> str:
        """The model that answers, as the provider names it."""
        return self._model_name

    @property
    def provider_name(self) -> str | None:
        """The provider that answers."""
        return self._provider_name

    @property
    def timestamp(self) -> datetime:
        """When the answer began, by the provider's clock if it has one."""
        return self._timestamp

    def __repr__(self) -> str:
        return f'{type(self).__name__}(model_name={self.model_name!r}, complete={self._complete})'


class OuterStream(StreamedResponse):
    """A stream around another one, with its answer, usage and names."""

    def __init__(self, stream: StreamedResponse) -> None:
        super().__init__(stream.model_name, stream.provider_name)
        self._stream = stream

    def get(self) -> ModelResponse:
        """The answer as far as it has arrived."""
        return self._stream.get()

    def usage(self) -> Usage:
        """What the request has used, as far as the provider has reported."""
        return self._stream.usage()

    @property
    def model_name(self) -> str:
        """The model that answers."""
        return self._stream.model_name

    @property
    def provider_name(self) -> str | None:
        """The provider that answers."""
        return self._stream.provider_name

    @property
    def timestamp(self) -> datetime:
        """When the answer began."""
        return self._stream.timestamp

    def __repr__(self) -> str:
        return repr(self._stream)
