"""OpenAI Responses, the format in which reasoning models keep their thoughts from one request to the next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from ..content import UrlContent
from ..exceptions import AgentRunError, ModelHTTPError, UserError
from ..messages import AudioUrl, ModelMessage, ModelResponse
from ..parameters import ModelRequestParameters, ResultSchema
from ..settings import HttpOptions, ModelSettings
from ._catalog.known_names import did_you_mean
from ._catalog.providers import PROVIDERS, for_model
from ._chat.errors import refine_http_error
from ._chat.request import holds_schema
from ._http.answers import StreamDecoder
from ._http.model import HttpModel
from ._http.parts import PartsBuilder
from ._responses.request import responses_request
from ._responses.response import ResponsesStreamDecoder, is_cut, responses_response
from .keys import ApiKey
from .openai import OpenAIModelSettings, account_headers

if TYPE_CHECKING:
    from ._http.batches import Batches

__all__ = ['OpenAIResponsesModel', 'OpenAIResponsesModelSettings']


class OpenAIResponsesModelSettings(OpenAIModelSettings, total=False):
    """Settings of OpenAI Responses, besides those that it shares with Chat Completions.

    Attributes:
        openai_reasoning_summary: How much of its thoughts the model should write; without it they stay hidden.
        openai_previous_response_id: The answer that the conversation continues from, which OpenAI must have stored: its
            id, or `auto` for the last one among the messages. Of the messages only what follows it is sent.
        openai_truncation: `auto` drops the middle of a conversation that is too long, `disabled` makes it an error.
        openai_include: What else the answer should hold, such as `web_search_call.action.sources`.
        openai_builtin_tools: Tools that OpenAI runs itself, as it writes them: `[{'type': 'web_search'}]`.
    """

    openai_reasoning_summary: Literal['auto', 'concise', 'detailed']
    openai_previous_response_id: str
    openai_truncation: Literal['auto', 'disabled']
    openai_include: list[str]
    openai_builtin_tools: list[dict[str, Any]]


class OpenAIResponsesModel(HttpModel):
    """A model behind the OpenAI Responses API.

    OpenAI stores nothing unless `openai_store` or `openai_previous_response_id` asks for it: a reasoning model's
    thoughts come encrypted with its answer, and go back with the messages.

    Args:
        model_name: Such as `gpt-5.5`.
        base_url: The address up to and without `/responses`; None takes `OPENAI_BASE_URL`, else OpenAI's own.
        api_key: The key, or a function that gives it (see `syncai.models.keys`); None takes `OPENAI_API_KEY`. An
            address on this machine needs none.
        organization: The OpenAI organization to bill; None takes `OPENAI_ORG_ID`.
        project: The OpenAI project to bill; None takes `OPENAI_PROJECT_ID`.
        default_query: Query parameters of every request, besides those in `base_url`.
        alias_of: The model that the name stands for, such as `gpt-5.5`, where the address has its own names:
            what the model takes is known by it. None takes the name itself.
        settings: Settings for every call.
        http: How to connect.
        provider: The kind of server, a name of the providers' table.

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
        organization: str | None = None,
        project: str | None = None,
        default_query: Mapping[str, object] | None = None,
        alias_of: str | None = None,
        settings: ModelSettings | None = None,
        http: HttpOptions = HttpOptions(),  # noqa: B008 - frozen
        provider: str = 'openai-responses',
    ) -> None:
        names = [row.name for row in PROVIDERS.values() if row.wire == 'openai-responses']
        if provider not in names:
            raise UserError(f'Unknown provider {provider!r}. {did_you_mean(str(provider), names)}')
        row = for_model(PROVIDERS[provider], alias_of or model_name)
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
        self._headers |= account_headers(row, organization, project)

    async def _ask(
        self, messages: Sequence[ModelMessage], settings: ModelSettings, parameters: ModelRequestParameters
    ) -> ModelResponse:
        return self._with_cut(await super()._ask(messages, settings, parameters), settings)

    def _path(self, *, stream: bool) -> str:
        del stream
        return '/responses'

    def _wants_bytes(self, item: UrlContent) -> bool:
        return self._provider.chat.supports_audio and isinstance(item, AudioUrl)

    def holds_schema(self, schema: ResultSchema) -> bool:
        """Whether the provider enforces this schema."""
        return holds_schema(schema, self._provider)

    def _body(
        self,
        messages: Sequence[ModelMessage],
        settings: ModelSettings,
        parameters: ModelRequestParameters,
        *,
        stream: bool,
    ) -> dict[str, Any]:
        return responses_request(self._model_name, self._provider, messages, settings, parameters, stream=stream)

    def _response(self, body: dict[str, Any], *, request_id: str | None, attempts: int) -> ModelResponse:
        return responses_response(body, self.system, self._model_name, request_id=request_id, attempts=attempts)

    def _decoder(self, builder: PartsBuilder, settings: ModelSettings) -> StreamDecoder:
        return ResponsesStreamDecoder(builder, self.system, self._model_name, self._limit(settings))

    def _limit(self, settings: ModelSettings) -> int | None:
        """The most tokens of an answer, for servers whose finish reason is unreliable."""
        return None if self._base_url == self._provider.default_base_url else settings.get('max_tokens')

    @property
    def _batches(self) -> Batches | None:
        """The batch API of the provider."""
        from ._chat.batch_apis import responses_batches

        return responses_batches(self, self._provider)

    def _read_whole(self, body: dict[str, Any], settings: ModelSettings) -> ModelResponse:
        """The answer in the body of a response to a request with these merged settings."""
        return self._with_cut(super()._read_whole(body, settings), settings)

    def _with_cut(self, response: ModelResponse, settings: ModelSettings) -> ModelResponse:
        cut = is_cut(response.finish_reason, response.usage, self._limit(settings))
        return replace(response, finish_reason='length') if cut else response

    def _refined(self, error: ModelHTTPError) -> AgentRunError:
        return refine_http_error(error, self.system, self._model_name, self._base_url)
