"""OpenAI Chat Completions, and every server that speaks the same format."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from ..exceptions import AgentRunError, ModelHTTPError, UserError
from ..messages import ModelMessage, ModelResponse
from ..settings import HttpOptions, ModelSettings, is_header_value
from . import ModelRequestParameters
from ._answers import StreamDecoder
from ._chat_errors import refine_http_error
from ._chat_request import chat_request
from ._chat_response import ChatStreamDecoder, chat_response
from ._http_model import HttpModel
from ._known import did_you_mean
from ._parts import PartsBuilder
from ._providers import PROVIDERS, for_model

__all__ = ['OpenAIChatModel', 'OpenAIChatModelSettings', 'OpenAIModelSettings']


class OpenAIModelSettings(ModelSettings, total=False):
    """Settings that both formats of OpenAI know, besides those common to all providers.

    Attributes:
        openai_reasoning_effort: How much to think, in OpenAI's words; wins over `thinking`.
        openai_user: An identifier of the end user; `openai_safety_identifier` replaces it.
        openai_safety_identifier: A stable identifier of the end user, without personal data.
        openai_service_tier: The tier that serves the request.
        openai_logprobs: Whether to compute log probabilities.
        openai_top_logprobs: How many alternatives of each token, 0 to 20.
        openai_store: Whether OpenAI may keep the answer.
        openai_metadata: Up to 16 pairs that are kept with the answer.
        openai_verbosity: How much to say.
        openai_prompt_cache_key: Groups requests that share a beginning.
        openai_prompt_cache_options: How prompts are cached.
    """

    openai_reasoning_effort: Literal['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max']
    openai_user: str
    openai_safety_identifier: str
    openai_service_tier: Literal['auto', 'default', 'flex', 'scale', 'priority', 'fast']
    openai_logprobs: bool
    openai_top_logprobs: int
    openai_store: bool
    openai_metadata: dict[str, str]
    openai_verbosity: Literal['low', 'medium', 'high']
    openai_prompt_cache_key: str
    openai_prompt_cache_options: dict[str, Any]


class OpenAIChatModelSettings(OpenAIModelSettings, total=False):
    """Settings of OpenAI Chat Completions, besides those that it shares with Responses.

    Attributes:
        openai_prediction: Text that much of the answer is expected to repeat.
        openai_modalities: The forms of the answer, such as `['text', 'audio']`.
        openai_audio: Format and voice of an answer in sound.
        openai_web_search_options: Options of the search models.
    """

    openai_prediction: dict[str, Any]
    openai_modalities: list[str]
    openai_audio: dict[str, Any]
    openai_web_search_options: dict[str, Any]


class OpenAIChatModel(HttpModel):
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
        known = [row.name for row in PROVIDERS.values() if row.wire == 'openai-chat']
        if provider not in known:
            raise UserError(f'Unknown provider {provider!r}. {did_you_mean(str(provider), known)}')
        row = for_model(PROVIDERS[provider], model_name)
        super().__init__(model_name, provider=row, base_url=base_url, api_key=api_key, settings=settings, http=http)
        self._headers |= account_headers(organization, project)

    def _path(self, *, stream: bool) -> str:
        del stream
        return '/chat/completions'

    def _body(
        self,
        messages: Sequence[ModelMessage],
        settings: ModelSettings,
        parameters: ModelRequestParameters,
        *,
        stream: bool,
    ) -> dict[str, Any]:
        return chat_request(self._model_name, self._provider, messages, settings, parameters, stream=stream)

    def _response(self, body: dict[str, Any], *, request_id: str | None, attempts: int) -> ModelResponse:
        return chat_response(body, self.system, self._model_name, request_id=request_id, attempts=attempts)

    def _decoder(self, builder: PartsBuilder) -> StreamDecoder:
        return ChatStreamDecoder(builder, self.system, self._model_name)

    def _refined(self, error: ModelHTTPError) -> AgentRunError:
        return refine_http_error(error, self.system, self._model_name, self._base_url)


def account_headers(organization: str | None, project: str | None) -> dict[str, str]:
    """The headers that say which account of OpenAI pays."""
    headers = {}
    for name, value in (('organization', organization), ('project', project)):
        if value and not is_header_value(value):
            raise UserError(f'{name} must be printable ASCII without line breaks, as OpenAI gave it')
        if value:
            headers[f'openai-{name}'] = value
    return headers
