"""OpenAI Chat Completions, and every server that speaks the same format."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, Literal

from ..exceptions import (
    AgentRunError,
    IncompleteStreamError,
    ModelAPIError,
    ModelHTTPError,
    UnexpectedModelBehavior,
    UserError,
)
from ..messages import ModelMessage, ModelResponse, ModelResponseStreamEvent
from ..settings import HttpOptions, ModelSettings, check_settings, is_header_value, merge_settings
from . import Model, ModelRequestParameters, StreamedResponse, check_allow_model_requests
from ._chat_errors import refine_http_error
from ._chat_request import chat_request
from ._chat_response import ChatStreamDecoder, chat_response, excerpt, parse_json
from ._known import did_you_mean
from ._providers import PROVIDERS, for_model, resolve_base_url, resolve_key

if TYPE_CHECKING:
    from .._transport.http import EventStream, HttpRequest

__all__ = ['OpenAIChatModel', 'OpenAIChatModelSettings']

_DRAIN = 0.1  # seconds to read on to the end of the body, so that the connection can be used again


class OpenAIChatModelSettings(ModelSettings, total=False):
    """Settings of OpenAI's own, besides those common to all providers.

    Attributes:
        openai_reasoning_effort: How much to think, in OpenAI's words; wins over `thinking`.
        openai_user: An identifier of the end user; `openai_safety_identifier` replaces it.
        openai_safety_identifier: A stable identifier of the end user, without personal data.
        openai_service_tier: The tier that serves the request.
        openai_logprobs: Whether to compute log probabilities.
        openai_top_logprobs: How many alternatives of each token, 0 to 20.
        openai_store: Whether OpenAI may keep the answer.
        openai_metadata: Up to 16 pairs that are kept with the answer.
        openai_prediction: Text that much of the answer is expected to repeat.
        openai_verbosity: How much to say.
        openai_prompt_cache_key: Groups requests that share a beginning.
        openai_prompt_cache_options: How prompts are cached.
        openai_modalities: The forms of the answer, such as `['text', 'audio']`.
        openai_audio: Format and voice of an answer in sound.
        openai_web_search_options: Options of the search models.
    """

    openai_reasoning_effort: Literal['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max']
    openai_user: str
    openai_safety_identifier: str
    openai_service_tier: Literal['auto', 'default', 'flex', 'scale', 'priority', 'fast']
    openai_logprobs: bool
    openai_top_logprobs: int
    openai_store: bool
    openai_metadata: dict[str, str]
    openai_prediction: dict[str, Any]
    openai_verbosity: Literal['low', 'medium', 'high']
    openai_prompt_cache_key: str
    openai_prompt_cache_options: dict[str, Any]
    openai_modalities: list[str]
    openai_audio: dict[str, Any]
    openai_web_search_options: dict[str, Any]


class OpenAIChatModel(Model):
    """A model behind an OpenAI-compatible Chat Completions API.

    Args:
        model_name: Such as `gpt-5.4-mini`.
        base_url: The address up to and without `/chat/completions`; None takes `OPENAI_BASE_URL`, else OpenAI's own.
        api_key: The key; None takes `OPENAI_API_KEY`. An address on this machine needs none.
        organization: The OpenAI organization to bill, or None.
        project: The OpenAI project to bill, or None.
        settings: Settings for every call.
        http: How to connect.
        provider: The kind of server, a name of the providers' table: `openai`, `ollama`.

    Raises:
        MissingKeyError: No key was given and none is set.
        UserError: The provider is unknown, or an argument is wrong.
    """

    def __init__(
        self,
        model_name: str,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        organization: str | None = None,
        project: str | None = None,
        settings: ModelSettings | None = None,
        http: HttpOptions = HttpOptions(),  # noqa: B008 - frozen
        provider: str = 'openai',
    ) -> None:
        if not isinstance(model_name, str) or not model_name.strip():
            raise UserError(f"model_name must be a name such as 'gpt-5.4-mini', not {model_name!r}")
        if not isinstance(http, HttpOptions):
            raise UserError(f'http must be HttpOptions(...), not {type(http).__name__}')
        if provider not in PROVIDERS:
            raise UserError(f'Unknown provider {provider!r}. {did_you_mean(str(provider), list(PROVIDERS))}')
        check_settings(settings)
        self._model_name = model_name
        self._provider = for_model(PROVIDERS[provider], model_name)
        self._base_url = resolve_base_url(self._provider, base_url)
        self._headers = self._fixed_headers(resolve_key(self._provider, api_key, self._base_url), organization, project)
        self._http = http
        self.settings = settings

    def _fixed_headers(self, key: str | None, organization: str | None, project: str | None) -> dict[str, str]:
        from .. import __version__

        headers = {'content-type': 'application/json', 'user-agent': f'syncai/{__version__}', **self._provider.headers}
        if key:
            headers['authorization'] = f'Bearer {key}'
        for name, value in (('organization', organization), ('project', project)):
            if value and not is_header_value(value):
                raise UserError(f'{name} must be printable ASCII without line breaks, as OpenAI gave it')
            if value:
                headers[f'openai-{name}'] = value
        return headers

    @property
    def model_name(self) -> str:
        """The model's name, without its provider."""
        return self._model_name

    @property
    def system(self) -> str:
        """The provider's name."""
        return self._provider.name

    @property
    def base_url(self) -> str:
        """The address that requests go to, without `/chat/completions`."""
        return self._base_url

    async def request(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """The whole answer."""
        from .._transport.http import shared_client

        request = self._request(messages, model_settings, model_request_parameters, stream=False)
        try:
            answer = await shared_client(self._http).send(request)
        except ModelHTTPError as error:
            raise refine_http_error(error, self.system, self._model_name, self._base_url) from None
        body = parse_json(answer.body, self.system, self._model_name)
        return chat_response(
            body, self.system, self._model_name, request_id=answer.request_id, attempts=answer.attempts
        )

    @asynccontextmanager
    async def request_stream(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> AsyncIterator[StreamedResponse]:
        """The answer as it arrives; leaving the context closes the connection."""
        from .._transport.http import shared_client

        request = self._request(messages, model_settings, model_request_parameters, stream=True)
        async with AsyncExitStack() as stack:
            try:
                stream = await stack.enter_async_context(shared_client(self._http).stream(request))
            except ModelHTTPError as error:
                raise refine_http_error(error, self.system, self._model_name, self._base_url) from None
            yield OpenAIStreamedResponse(stream, self._model_name, self.system)

    def _request(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None,
        parameters: ModelRequestParameters,
        *,
        stream: bool,
    ) -> HttpRequest:
        from pydantic_core import PydanticSerializationError, to_json

        from .._transport.http import HttpRequest

        check_allow_model_requests()
        settings = merge_settings(self.settings, model_settings)
        body = chat_request(self._model_name, self._provider, messages, settings, parameters, stream=stream)
        try:
            content = to_json(body)
        except PydanticSerializationError as error:
            raise UserError(f'The request holds a value that cannot be written as JSON: {error}') from None
        return HttpRequest(
            method='POST',
            url=f'{self._base_url}/chat/completions',
            headers=self._headers_with(settings.get('extra_headers'), stream),
            body=content,
            model_name=self._model_name,
            provider=self.system,
        )

    def _headers_with(self, extra: Mapping[str, str] | None, stream: bool) -> dict[str, str]:
        headers = {**self._headers, 'accept': 'text/event-stream' if stream else 'application/json'}
        headers.update((name.lower(), value) for name, value in (extra or {}).items())
        return headers


class OpenAIStreamedResponse(StreamedResponse):
    """An answer of Chat Completions as it arrives."""

    def __init__(self, stream: EventStream, model_name: str, provider: str) -> None:
        super().__init__(model_name, provider)
        self._stream = stream
        self._asked_for = model_name
        self._decoder = ChatStreamDecoder(self._builder, provider, model_name)
        self._usage = self._decoder.usage

    async def batches(self) -> AsyncIterator[list[ModelResponseStreamEvent]]:
        """The events in lists, one for what each read of the network brought."""
        try:
            async for events in self._stream:
                batch: list[ModelResponseStreamEvent] = []
                failure = self._decode([event.data for event in events], batch)
                if batch:
                    yield batch
                if failure is not None:
                    raise failure
                if self._decoder.done:
                    break
            if last := self._unfinished():
                yield last
            self._end()
        except AgentRunError as error:
            raise self._with_partial(error) from None
        await self._stream.drain(_DRAIN)

    def _decode(self, payloads: list[str], batch: list[ModelResponseStreamEvent]) -> AgentRunError | None:
        """Fill the batch; a failure is returned, so that the events before it are delivered first."""
        decoder = self._decoder
        try:
            decoder.feed(payloads, batch)
        except AgentRunError as error:
            return error
        except (AttributeError, TypeError, KeyError, IndexError) as error:
            return UnexpectedModelBehavior(
                f'{self._provider_name} sent a chunk of an unknown shape ({error})', excerpt('\n'.join(payloads))
            )
        finally:
            self._take_over(decoder)
        return None

    def _unfinished(self) -> list[ModelResponseStreamEvent]:
        """The events of a last payload that no blank line ended, as some servers leave it; none if it was cut."""
        pending = None if self._decoder.done else self._stream.pending_at_eof
        batch: list[ModelResponseStreamEvent] = []
        if pending is not None:
            failure = self._decode([pending.data], batch)
            if isinstance(failure, ModelHTTPError):
                raise failure
        return batch

    def _take_over(self, decoder: ChatStreamDecoder) -> None:
        self._model_name = decoder.model_name
        self._response_id = decoder.response_id
        self._timestamp = decoder.timestamp or self._timestamp
        self._usage = decoder.usage
        self._finish_reason = decoder.finish_reason
        self._provider_finish_reason = decoder.provider_finish_reason
        self._complete = decoder.done

    def _end(self) -> None:
        if not self._decoder.complete:
            raise IncompleteStreamError(
                f'The stream of {self._provider_name} ended before the answer did: neither finish_reason nor [DONE] '
                'came; what had arrived is in `partial`',
            )
        self._complete = True

    def _with_partial(self, error: AgentRunError) -> AgentRunError:
        error.model_name = error.model_name or self._asked_for
        error.provider = error.provider or self._provider_name
        if error.partial is None:
            error.partial = self.get()
        if isinstance(error, ModelAPIError):
            error.request_id = error.request_id or self._stream.request_id
            error.attempts = error.attempts or self._stream.attempts
        return error
