"""What a model is: the interface that every provider implements, and how a name becomes a model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from typing import Any, Literal

from .._base.provider_names import provider_name
from .._base.values import now_utc
from ..exceptions import UserError
from ..messages import FinishReason, ModelMessage, ModelResponse, ModelResponseStreamEvent
from ..settings import ModelSettings
from ..tools import ToolDefinition
from ..usage import Usage
from ._catalog.context import context_window
from ._catalog.known import KNOWN_MODEL_NAMES, KnownModelName, did_you_mean, full_model_name, known_model_names
from ._catalog.providers import ENDED, PROVIDERS
from ._parts import PartsBuilder
from ._written import HOMES

__all__ = [
    'ALLOW_MODEL_REQUESTS',
    'check_allow_model_requests',
    'context_window',
    'infer_model',
    'known_model_names',
    'KnownModelName',
    'Model',
    'ModelRequestParameters',
    'override_allow_model_requests',
    'ResultSchema',
    'StreamedResponse',
]

ALLOW_MODEL_REQUESTS = True
"""Whether real models may be asked; set it to False in tests, so that none is asked by accident.

A server on loopback, such as a `ModelServer`, may always be asked.
"""

_allow_override: ContextVar[bool | None] = ContextVar('syncai_allow_model_requests', default=None)


@dataclass(frozen=True, kw_only=True, slots=True)
class ResultSchema:
    """A JSON schema that the model's answer must follow.

    Args:
        name: The schema's name, letters, digits, `_` and `-`.
        schema: The JSON schema, an object.
        description: What the answer is for, for the model to read.
        strict: Whether the provider should hold the model to it; None leaves it to the provider.
    """

    name: str
    schema: dict[str, Any]
    description: str | None = None
    strict: bool | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelRequestParameters:
    """What the model may call, and the form its answer must have.

    Args:
        function_tools: Tools that it may call.
        result_tools: Tools whose arguments are the result; calling one ends the run.
        allow_text_result: Whether plain text is a valid answer.
        result_mode: How a structured result is asked for.
        result_schema: The schema of the answer, for the modes `native` and `prompted`.
        json_object: Whether the answer must be a JSON object of any shape.
    """

    function_tools: Sequence[ToolDefinition] = ()
    result_tools: Sequence[ToolDefinition] = ()
    allow_text_result: bool = True
    result_mode: Literal['text', 'tool', 'native', 'prompted'] = 'text'
    result_schema: ResultSchema | None = None
    json_object: bool = False


class Model(ABC):
    """A language model that can be asked.

    Attributes:
        settings: Settings for every call, which a call's own settings override.
        silence_limits: Seconds that the first event, and any later one, may take: whoever waits for longer logs a
            warning. None where the model has no such limits, as those without a wire.
        reader_timeout: Seconds that the reader of a stream may leave what has arrived, or None for ever.
        stream_name: The class of its streams, for the repr of one whose answer has not begun.
    """

    settings: ModelSettings | None = None
    silence_limits: tuple[float, float] | None = None
    reader_timeout: float | None = None
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
        """Whether an answer that is asked for with this schema, and without function tools, is sure to fit it."""
        del schema
        return False

    def __repr__(self) -> str:
        return f'{type(self).__name__}({self.model_name!r})'


class StreamedResponse(ABC):
    """An answer as it arrives.

    The loop thread writes all of it. `get`, `usage` and the properties may be read from any thread: each of them reads
    fields that are replaced whole, or lists that only grow.
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
        """The events in lists, one for what each read of the network brought."""

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
        """What the request has used, as far as the provider has told."""
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
        """When the answer began, by the provider's clock where it tells."""
        return self._timestamp

    def __repr__(self) -> str:
        return f'{type(self).__name__}(model_name={self.model_name!r}, complete={self._complete})'


def infer_model(model: Model | KnownModelName | str) -> Model:
    """The model called `provider:name`; a `Model` is returned as it is.

    Names that begin with `gpt-`, `claude-` or `gemini-`, and those like `o3-mini`, need no provider.

    Raises:
        UserError: There is no such provider; names the nearest ones. A model that is not known by name is allowed.
        MissingKeyError: No API key is set for the provider.
    """
    if isinstance(model, Model):
        return model
    provider, name = provider_and_name(model)
    if name == provider == 'test':
        from .test import TestModel

        return TestModel()
    module, kind = HOMES[PROVIDERS[provider].wire]
    named: Model = getattr(import_module(f'.{module}', __name__), kind)(name, provider=provider)
    return named


def check_model(model: Model | str) -> None:
    """Raise UserError unless this is a model or the name of one; its key and its address are not looked for."""
    if not isinstance(model, Model):
        provider_and_name(model)


def provider_and_name(model: str) -> tuple[str, str]:
    """The two parts of a model's name; looks for no key and no address, so that it may be asked at any time.

    Raises:
        UserError: There is no such provider, or the name is none; names the nearest ones.
    """
    if not isinstance(model, str):
        raise UserError(f"model must be a Model or a name like 'openai:gpt-5.4-mini', not {model!r:.100}")
    if model == 'test':
        return model, model
    provider, colon, name = full_model_name(model).partition(':')
    if provider in ENDED:
        raise UserError(ENDED[provider])
    if not colon or not name or provider not in PROVIDERS:
        raise UserError(_unknown_model(model, provider, name))
    return provider, name


def _unknown_model(model: str, provider: str, name: str) -> str:
    if not model.strip():
        return "The model's name is empty; write it like 'openai:gpt-5.4-mini'"
    if provider in PROVIDERS:
        known = known_model_names(provider)
        if PROVIDERS[provider].deployments:
            return f"{PROVIDERS[provider].title} needs the name of a deployment: write '{provider}:my-deployment'"
        if not known:
            return f"Model {model!r} names a provider and no model; write '{provider}:model'"
        return f'Model {model!r} names a provider and no model. {did_you_mean(model, known)}'
    if name:
        near = did_you_mean(provider, list(PROVIDERS))
        return f"Unknown provider {provider!r} in {model!r}; write 'provider:model'. {near}"
    first, slash, rest = model.partition('/')
    if slash and rest and provider_name(first) in PROVIDERS:
        return f'Model {model!r} has a slash where a colon belongs: write {provider_name(first) + ":" + rest!r}'
    same = [n for n in KNOWN_MODEL_NAMES if n.partition(':')[2] == model]
    near = f'Did you mean {" or ".join(map(repr, same))}?' if same else did_you_mean(model, list(KNOWN_MODEL_NAMES))
    if near.startswith('Known are'):  # all of them would be a page
        near = f'Known providers are {", ".join(map(repr, PROVIDERS))}.'
    return f"Unknown model {model!r}; write 'provider:model'. {near}"


def check_allow_model_requests() -> None:
    """Nothing, when real models may be asked.

    Raises:
        UserError: They may not, see `ALLOW_MODEL_REQUESTS`.
    """
    override = _allow_override.get()
    if not (ALLOW_MODEL_REQUESTS if override is None else override):
        raise UserError(
            'Model requests are not allowed, since ALLOW_MODEL_REQUESTS is False: '
            'use TestModel or FunctionModel, or override_allow_model_requests(True)'
        )


@contextmanager
def override_allow_model_requests(allow_model_requests: bool) -> Iterator[None]:
    """Inside the block, and in this context alone, real models may or may not be asked, whatever the flag says."""
    token = _allow_override.set(allow_model_requests)
    try:
        yield
    finally:
        _allow_override.reset(token)
