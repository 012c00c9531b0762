"""OpenAI Chat Completions, and every server that speaks the same format."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from .._base.lazy import importer
from ..content import UrlContent
from ..exceptions import AgentRunError, ModelHTTPError, UserError
from ..messages import AudioUrl, DocumentUrl, ImageUrl, ModelMessage, ModelResponse
from ..parameters import ModelRequestParameters, ResultSchema
from ..settings import HttpOptions, ModelSettings, is_header_dict, is_header_value
from ._catalog.known_names import did_you_mean
from ._catalog.providers import ENDED, PROVIDERS, Provider, for_model
from ._chat.additions import failed_generation
from ._chat.azure import deployment_address, version_in
from ._chat.errors import refine_http_error
from ._chat.request import asks_for_logprobs, chat_request, holds_schema
from ._chat.response import ChatStreamDecoder, LogprobsStreamDecoder, chat_response
from ._chat.tags import tags_of
from ._http.answers import StreamDecoder
from ._http.model import HttpModel
from ._http.parts import PartsBuilder
from .keys import ApiKey

if TYPE_CHECKING:
    from ._http.batches import Batches

__all__ = ['OpenAIChatModel', 'OpenAIChatModelSettings', 'OpenAIModel', 'OpenAIModelSettings']


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
        openai_prediction: Text that the answer is expected to repeat in large part.
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
        model_name: Such as `gpt-5.4-mini`; for Azure OpenAI the name of the deployment.
        base_url: The address up to and without `/chat/completions`; None takes the environment's (`OPENAI_BASE_URL`),
            else the provider's own. For Azure OpenAI the endpoint of the resource.
        api_key: The key, or a function that gives it (see `syncai.models.keys`); None takes the environment's
            (`OPENAI_API_KEY`). An address on this machine needs none.
        organization: The OpenAI organization to bill; None takes `OPENAI_ORG_ID` for OpenAI itself.
        project: The OpenAI project to bill; None takes `OPENAI_PROJECT_ID` for OpenAI itself.
        headers: Headers of every request. One that carries a key, such as `authorization`, replaces `api_key`.
        default_query: Query parameters of every request, besides those in `base_url`.
        api_version: For Azure OpenAI: the `api-version` of the addresses with `/deployments/`; None takes
            `OPENAI_API_VERSION`, and if that is not set, the v1 API, which has no version.
        azure_ad_token_provider: For Azure OpenAI: a function that gives a token of Microsoft Entra, such as that of
            `azure.identity.get_bearer_token_provider`; sent as `authorization: Bearer`, in place of `api_key`.
        thinking_tags: The tags between which the model thinks in its text, where the server does not take the thoughts
            out: they become a `ThinkingPart`. None takes those of the provider's row, False leaves the text as it is,
            True is `('<think>', '</think>')`. With an empty first tag every answer begins within thoughts.
        alias_of: The model that the name stands for, such as `gpt-5.5`, where the address has its own names:
            what the model takes is known by it. None takes the name itself.
        settings: Settings for every call.
        http: How to connect.
        provider: The kind of server, a name of the providers' table: `openai`, `azure`, `groq`, `ollama`, ...

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
        headers: Mapping[str, str] | None = None,
        default_query: Mapping[str, object] | None = None,
        api_version: str | None = None,
        azure_ad_token_provider: ApiKey | None = None,
        thinking_tags: tuple[str, str] | bool | None = None,
        alias_of: str | None = None,
        settings: ModelSettings | None = None,
        http: HttpOptions = HttpOptions(),  # noqa: B008 - frozen
        provider: str = 'openai',
    ) -> None:
        row, own = _row(provider, model_name, alias_of), _checked_headers(headers)
        keyed = not own.keys().isdisjoint(('authorization', row.key_header))
        if azure_ad_token_provider is not None:
            row, api_key = _with_entra(row, api_key), azure_ad_token_provider
        super().__init__(
            model_name,
            provider=replace(row, needs_key=False, key_variables=()) if keyed else row,
            base_url=base_url,
            api_key=api_key,
            default_query=default_query,
            alias_of=alias_of,
            settings=settings,
            http=http,
        )
        self._headers |= account_headers(row, organization, project) | own
        self._own_headers = frozenset(own)
        self._tags = tags_of(thinking_tags, row, self._base_url)
        self._endpoint = '/chat/completions'
        if row.deployments:
            self._choose_deployment(api_version)
        elif api_version:
            raise UserError(f"{row.title} takes no api_version: it is for provider='azure'")

    def _choose_deployment(self, version: str | None) -> None:
        if not self._base_url.endswith('/v1'):  # their versions are not dates, and stay in the query
            in_query, self._query = version_in(self._query)
            version = version or in_query or os.environ.get('OPENAI_API_VERSION')
        self._base_url, self._endpoint = deployment_address(self._base_url, self._model_name, version)

    def _auth_headers(self, key: str) -> dict[str, str]:
        if self._provider.deployments and key.startswith('eyJ') and key.count('.') == 2:  # a token of Entra, no key
            return {'authorization': f'Bearer {key}'}
        return super()._auth_headers(key)

    def _path(self, *, stream: bool) -> str:
        del stream
        return self._endpoint

    def _wants_bytes(self, item: UrlContent) -> bool:
        provider = self._provider
        if isinstance(item, ImageUrl):
            return provider.chat.supports_images and not provider.chat.supports_image_url
        if isinstance(item, DocumentUrl):  # one of text is taken by all, as a part of the prompt
            return not provider.chat.supports_file_url
        return isinstance(item, AudioUrl) and provider.chat.supports_audio

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
        return chat_request(self._model_name, self._provider, messages, settings, parameters, stream=stream)

    def _response(self, body: dict[str, Any], *, request_id: str | None, attempts: int) -> ModelResponse:
        context = {'request_id': request_id, 'attempts': attempts}
        return chat_response(body, self.system, self._model_name, tags=self._tags, **context)

    def _decoder(self, builder: PartsBuilder, settings: ModelSettings) -> StreamDecoder:
        kind = LogprobsStreamDecoder if asks_for_logprobs(settings, self.system) else ChatStreamDecoder
        return kind(builder, self.system, self._model_name, self._tags)

    @property
    def _batches(self) -> Batches | None:
        """The batch API of the provider, or None if no known one exists."""
        from ._chat.batch_apis import chat_batches

        return chat_batches(self, self._provider, self._endpoint)

    def _refined(self, error: ModelHTTPError) -> AgentRunError:
        return refine_http_error(error, self.system, self._model_name, self._base_url)

    def _is_answer(self, error: ModelHTTPError) -> bool:
        return bool(failed_generation(error.body))


def _row(name: str, model_name: object, alias_of: object) -> Provider:
    names = [row.name for row in PROVIDERS.values() if row.wire == 'openai-chat']
    if name in ENDED:
        raise UserError(ENDED[name])
    if name not in names:
        raise UserError(f'Unknown provider {name!r}. {did_you_mean(str(name), names)}')
    row = PROVIDERS[name]
    if row.deployments and not model_name:
        raise UserError(f"{row.title} needs the name of a deployment: write '{name}:my-deployment'")
    known_as = alias_of or model_name
    return for_model(row, known_as) if isinstance(known_as, str) else row


def _checked_headers(headers: Mapping[str, str] | None) -> dict[str, str]:
    if not is_header_dict(headers or {}):
        raise UserError('headers must be a dict of header names to values, both printable ASCII without line breaks')
    return {name.lower(): value for name, value in (headers or {}).items()}


def _with_entra(row: Provider, api_key: object) -> Provider:
    if not row.deployments:
        raise UserError(f'{row.title} takes no azure_ad_token_provider: pass the function as api_key=...')
    if api_key is not None:
        raise UserError('api_key is one way to pay, azure_ad_token_provider is another: pass one of them')
    return replace(row, key_header='authorization')


def account_headers(row: Provider, organization: str | None, project: str | None) -> dict[str, str]:
    """The headers of the paying account of OpenAI; without arguments, from the environment."""
    headers = {}
    if row.default_base_url == PROVIDERS['openai'].default_base_url:
        organization = organization or os.environ.get('OPENAI_ORG_ID', '').strip()
        project = project or os.environ.get('OPENAI_PROJECT_ID', '').strip()
    for name, value in (('organization', organization), ('project', project)):
        if value and not is_header_value(value):
            raise UserError(f'{name} must be printable ASCII without line breaks, as OpenAI gave it')
        if value:
            headers[f'openai-{name}'] = value
    return headers


OpenAIModel = OpenAIChatModel
"""The first name of `OpenAIChatModel`, for older programs."""

if not TYPE_CHECKING:
    __getattr__ = importer(__name__, {})
