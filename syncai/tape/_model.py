"""The stand-in for a model while a tape is in force."""

from __future__ import annotations

import copy
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from .._bridge.caller import call_in_thread
from ..exceptions import AgentRunError, MissingKeyError, ModelConnectionError, UserError
from ..messages import ModelMessage, ModelResponse
from ..models import Model, StreamedResponse
from ..models._infer import provider_and_name
from ..models._offline.replay import ReplayedStreamedResponse
from ..models._route.other_address import asked_at
from ..models._route.stand_in import model_beneath
from ..models.fallback import FallbackModel
from ..parameters import ModelRequestParameters, ResultSchema
from ..settings import ModelSettings, merge_settings
from ._errors import is_recorded
from ._exchange import Exchange, Question
from ._streams import RecordingStreamedResponse, TapedStreamedResponse

if TYPE_CHECKING:
    from ._tape import Tape

_NOWHERE = 'https://tape.invalid/v1'


def taped(tape: Tape, model: Model | str) -> Model:
    """The stand-in for a model; several models of a fallback get one each, so that each has its own answers."""
    if isinstance(model, TapedModel):  # such as the model of a run within a run
        model = model.taped
    if isinstance(model, FallbackModel):
        other = copy.copy(model)
        other.models = tuple(taped(tape, one) for one in model.models_or_names)
        return other
    return TapedModel(tape, model)


class TapedModel(Model):
    """A model behind a tape: answers come from the tape, or are recorded on it.

    Args:
        tape: The tape.
        taped: The model, or its name: a named model is made on first use, and needs no key before.
    """

    stream_name = 'TapedStreamedResponse'

    def __init__(self, tape: Tape, taped: Model | str) -> None:
        self.taped = taped
        self._tape = tape
        self._provider = None if isinstance(taped, Model) else provider_and_name(taped)[0]
        self.settings = self._shown.settings
        self.silence_limits = self._shown.silence_limits
        self.reader_timeout = self._shown.reader_timeout

    @cached_property
    def _shown(self) -> Model:
        """The model's repr, without its key."""
        return self.taped if isinstance(self.taped, Model) else asked_at(_NOWHERE, self.taped)

    @cached_property
    def _asked(self) -> Model:
        return model_beneath(self.taped)

    @property
    def model_name(self) -> str:
        """The model's name, without its provider."""
        return self._shown.model_name

    @property
    def system(self) -> str:
        """The provider's name."""
        return self._provider or self._shown.system

    def holds_schema(self, schema: ResultSchema) -> bool:
        """Whether the model does."""
        return self._shown.holds_schema(schema)

    async def request(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """The answer on the tape, else that of the model."""
        question, exchange = await self._look_up(messages, model_settings, model_request_parameters, stream=False)
        if exchange is not None:
            if exchange.error is not None:
                raise exchange.error
            assert exchange.response is not None
            return exchange.response
        try:
            response = await self._beneath().request(messages, model_settings, model_request_parameters)
        except Exception as error:
            await self._add_failure(question, error)
            raise
        await self._tape.add(question, response=response)
        return response

    @asynccontextmanager
    async def request_stream(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> AsyncIterator[StreamedResponse]:
        """The answer on the tape as a stream, else that of the model."""
        question, exchange = await self._look_up(messages, model_settings, model_request_parameters, stream=True)
        if exchange is not None:
            yield self._replayed(exchange)
            return
        begun_at = time.monotonic()
        recording: RecordingStreamedResponse | None = None
        try:
            beneath = self._beneath().request_stream(messages, model_settings, model_request_parameters)
            async with beneath as stream:
                recording = RecordingStreamedResponse(stream, begun_at)
                yield recording
        except Exception as error:
            if recording is None or not recording.is_finished:
                await self._add_failure(question, error, recording)
                recording = None
            raise
        finally:
            if recording is not None and recording.is_finished:
                await self._tape.add(question, response=recording.get(), batches=recording.recorded)
            elif recording is not None and recording.recorded:  # it was left early, and this code must not wait
                self._tape.note(question, response=recording.get(), batches=recording.recorded, complete=False)

    def _replayed(self, exchange: Exchange) -> StreamedResponse:
        if exchange.error is not None and exchange.batches is None:
            raise exchange.error
        if exchange.batches is None:
            assert exchange.response is not None
            return ReplayedStreamedResponse(exchange.response)
        return TapedStreamedResponse(exchange, self._tape.speed, self._tape.name)

    async def _look_up(
        self,
        messages: Sequence[ModelMessage],
        settings: ModelSettings | None,
        parameters: ModelRequestParameters,
        *,
        stream: bool,
    ) -> tuple[Question, Exchange | None]:
        """In a worker thread: this may call the user's functions, and hash and read files."""
        identity, merged = (self.system, self.model_name), merge_settings(self.settings, settings)
        return await call_in_thread(self._tape.look_up, identity, messages, merged, parameters, stream=stream)  # type: ignore[no-any-return]

    def _beneath(self) -> Model:
        try:
            return self._asked
        except MissingKeyError as error:
            error.add_note(f'The request is not on {self._tape.name}, where it was to be recorded.')
            raise

    async def _add_failure(
        self, question: Question, error: Exception, recording: RecordingStreamedResponse | None = None
    ) -> None:
        """Keep the error of a provider; if the request was not sent, add a note with the reason for it."""
        if isinstance(error, UserError | ModelConnectionError):
            note = await call_in_thread(self._tape.why_asked, question)
            if note is not None:
                error.add_note(note)
        if isinstance(error, AgentRunError) and is_recorded(error):
            batches = recording.recorded if recording is not None else None
            response = recording.get() if recording is not None else None
            await self._tape.add(question, response=response, batches=batches, error=error)

    def __getattr__(self, name: str) -> Any:
        # Other attributes of a model, such as `base_url`, which programs may read.
        if name.startswith('_') or name == 'taped':
            raise AttributeError(name)
        return getattr(self._shown, name)

    def __repr__(self) -> str:
        return f'TapedModel({self.taped!r})'
