"""Anthropic Messages: the models called Claude, and every server that speaks the same format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from ..content import UrlContent
from ..exceptions import AgentRunError, ModelHTTPError, UserError
from ..messages import DocumentUrl, ModelMessage, ModelResponse
from ..parameters import ModelRequestParameters, ResultSchema
from ..settings import HttpOptions, ModelSettings
from ._anthropic.content import document_type
from ._anthropic.errors import refine_http_error
from ._anthropic.models import OF_OTHERS, traits_of
from ._anthropic.request import anthropic_request, beta_header
from ._anthropic.response import AnthropicStreamDecoder, anthropic_response
from ._anthropic.schema import can_be_written
from ._anthropic.thinking import thinking_of
from ._catalog.known_names import did_you_mean
from ._catalog.providers import PROVIDERS
from ._http.answers import StreamDecoder
from ._http.model import HttpModel
from ._http.parts import PartsBuilder
from ._http.requests import is_text_document
from .keys import ApiKey

if TYPE_CHECKING:
    from ._http.batches import Batches

__all__ = ['AnthropicModel', 'AnthropicModelSettings']

_MOST_TOKENS_AT_ONCE = 21_333  # the output of 10 minutes, after which silent connections break


class AnthropicModelSettings(ModelSettings, total=False):
    """Anthropic's own settings, besides those common to all providers.

    The API demands `max_tokens`. If it is not set it is 16384, or 64000 with an effort of `xhigh` or `max`, plus the
    budget for thinking, and never more than the model can generate (4096 for Claude 3, 8192 for Claude 3.5, 32000 for
    Opus 4 and 4.1, 64000 up to Claude 4.5, 128000 after it). Thinking counts towards it.

    `thinking` asks models up to Claude 4.5 for a budget (minimal 1024, low 4096, medium and True 8192, high 16384,
    xhigh 32768, max 49152 tokens, at most three quarters of `max_tokens`), and later ones for adaptive thinking with
    the effort of that name. Models whose thinking cannot be turned off (Opus from 5.5 on, Fable, Mythos) take False as
    the effort `low`. A budget cannot begin in the middle of tool calls that were made without thoughts, such as those
    of another provider: that request goes without. With thinking, and with some models always, a tool cannot be forced:
    `tool_choice` is then `auto`. Models that take thoughts back only after what stood before them (Fable from 5.1 on,
    the others but Mythos from 5.5 on) are asked to drop those that no longer fit, unless `anthropic_thinking` is set.

    Attributes:
        anthropic_betas: Names of betas to use, such as `['files-api-2025-04-14']`.
        anthropic_cache: What to keep in the prompt cache, and for how long: `{'tools': '1h', 'system': '1h',
            'messages': '5m'}` marks the last tool, the end of the system prompts and of the instructions, and the end
            of the conversation; True marks all three for five minutes. What lives longer must not stand after what
            lives shorter: tools come first, then system, then messages.
        anthropic_thinking: The request's `thinking` in Anthropic's words; wins over `thinking`.
        anthropic_effort: How much to do for an answer, thinking included; wins over the level in `thinking`.
        anthropic_metadata: Such as `{'user_id': '...'}`, an identifier of the end user without personal data.
        anthropic_service_tier: Whether the capacity that was bought may serve the request.
        anthropic_speed: Whether to answer faster, at a higher price.
        anthropic_inference_geo: Where the model must run, such as `us`.
        anthropic_container: The container that an earlier answer named, to use its files again.
    """

    anthropic_betas: list[str]
    anthropic_cache: bool | dict[Literal['tools', 'system', 'messages'], Literal['5m', '1h']]
    anthropic_thinking: dict[str, Any]
    anthropic_effort: Literal['low', 'medium', 'high', 'xhigh', 'max']
    anthropic_metadata: dict[str, str]
    anthropic_service_tier: Literal['auto', 'standard_only']
    anthropic_speed: Literal['standard', 'fast']
    anthropic_inference_geo: str
    anthropic_container: str | dict[str, Any]


class AnthropicModel(HttpModel):
    """A model behind Anthropic's Messages API, version 2023-06-01.

    An answer of more than 21333 tokens may take longer than 10 minutes, and idle connections do not last so long: where
    `max_tokens` allows one it is streamed, also when it is asked for as a whole.

    Args:
        model_name: Such as `claude-sonnet-5-5`.
        base_url: The address with or without its `/v1`; None takes `ANTHROPIC_BASE_URL`, else Anthropic's own.
        api_key: The key, or a function that gives it (see `syncai.models.keys`); None takes `ANTHROPIC_API_KEY`. An
            address on this machine needs none.
        default_query: Query parameters of every request, besides those in `base_url`.
        alias_of: The model that the name stands for, such as `claude-sonnet-5-5`, where the address has its own names:
            what the model takes is known by it. None takes the name itself.
        settings: Settings for every call.
        http: How to connect.
        provider: The kind of server, a name of the providers' table: `anthropic`.

    Raises:
        MissingKeyError: No key was given and none is set.
        UserError: The provider is unknown, or an argument is wrong.
    """

    def __init__(
        self,
        model_name: str,
        *,
        base_url: str | None = None,
        api_key: ApiKey | None = None,
        default_query: Mapping[str, object] | None = None,
        alias_of: str | None = None,
        settings: ModelSettings | None = None,
        http: HttpOptions = HttpOptions(),  # noqa: B008 - frozen
        provider: str = 'anthropic',
    ) -> None:
        names = [row.name for row in PROVIDERS.values() if row.wire == 'anthropic']
        if provider not in names:
            raise UserError(f'Unknown provider {provider!r}. {did_you_mean(str(provider), names)}')
        row = PROVIDERS[provider]
        super().__init__(
            model_name,
            provider=row,
            base_url=base_url,
            api_key=api_key,
            default_query=default_query,
            alias_of=alias_of,
            settings=settings,
            http=http,
        )
        self._base_url = self._base_url.removesuffix('/messages')
        elsewhere = urlsplit(self._base_url).hostname != urlsplit(row.default_base_url or '').hostname
        self._traits = traits_of(self._known_as, elsewhere=elsewhere)

    def _request_headers(self, settings: ModelSettings, body: Mapping[str, Any]) -> Mapping[str, str]:
        return beta_header(settings, body)

    def _path(self, *, stream: bool) -> str:
        del stream
        return '/messages' if self._base_url.endswith('/v1') else '/v1/messages'

    def _wants_bytes(self, item: UrlContent) -> bool:
        # Anthropic fetches PDF and images; text is fetched here.
        return isinstance(item, DocumentUrl) and is_text_document(document_type(item))

    def holds_schema(self, schema: ResultSchema) -> bool:
        """Whether the model enforces this schema: since Claude 4.5 and Opus 4.1, if it can be written."""
        # Another model means another server: llama.cpp, for example, accepts a schema and ignores it.
        return self._traits is not OF_OTHERS and self._traits.structured and can_be_written(schema.schema)

    def _body(
        self,
        messages: Sequence[ModelMessage],
        settings: ModelSettings,
        parameters: ModelRequestParameters,
        *,
        stream: bool,
    ) -> dict[str, Any]:
        return anthropic_request(
            self._model_name, self._provider, messages, settings, parameters, stream=stream, traits=self._traits
        )

    def _response(self, body: dict[str, Any], *, request_id: str | None, attempts: int) -> ModelResponse:
        return anthropic_response(body, self.system, self._model_name, request_id=request_id, attempts=attempts)

    def _decoder(self, builder: PartsBuilder, settings: ModelSettings) -> StreamDecoder:
        del settings
        return AnthropicStreamDecoder(builder, self.system, self._model_name)

    @property
    def _batches(self) -> Batches:
        """The API of Message Batches."""
        from ._anthropic.batches import AnthropicBatches

        return AnthropicBatches(self)

    def _refined(self, error: ModelHTTPError) -> AgentRunError:
        return refine_http_error(error, self.system, self._model_name, self._base_url)

    async def _ask(
        self, messages: Sequence[ModelMessage], settings: ModelSettings, parameters: ModelRequestParameters
    ) -> ModelResponse:
        """The whole answer; streamed internally if it may be long."""
        if thinking_of(self._model_name, self._provider, self._traits, settings).max_tokens <= _MOST_TOKENS_AT_ONCE:
            return await super()._ask(messages, settings, parameters)
        async with self._ask_stream(messages, settings, parameters) as stream:
            async for _ in stream.batches():
                pass
        return stream.get()
