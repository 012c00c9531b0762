"""Amazon Bedrock: every model behind its Converse API."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote, urlsplit

from ..content import UrlContent
from ..exceptions import AgentRunError, ModelHTTPError, UserError
from ..messages import ModelMessage, ModelResponse
from ..parameters import ModelRequestParameters, ResultSchema
from ..settings import HttpOptions, ModelSettings
from ._anthropic.models import traits_of
from ._anthropic.schema import can_be_written
from ._bedrock.content import S3
from ._bedrock.errors import classify, refine_http_error
from ._bedrock.request import converse_request
from ._bedrock.response import ConverseStreamDecoder, converse_response
from ._bedrock.signing import AwsCredentials, AwsSigner, region_of_profile
from ._catalog.providers import PROVIDERS
from ._http.answers import StreamDecoder
from ._http.model import HttpModel
from ._http.parts import PartsBuilder
from ._interface import Model
from .keys import ApiKey

if TYPE_CHECKING:
    from .._transport.request import HttpRequest

__all__ = ['AwsCredentials', 'BedrockModel', 'BedrockModelSettings']

_REGION_VARIABLES = ('AWS_REGION', 'AWS_DEFAULT_REGION')
_REGION = re.compile(r'[a-z]{2}[a-z0-9-]*-\d+')
_STREAM = '/converse-stream'
_NO_REGION = "Amazon Bedrock needs a region: pass region='us-east-1', set AWS_REGION, or set one in the profile of AWS"


class BedrockModelSettings(ModelSettings, total=False):
    """Bedrock's own settings, besides those common to all providers.

    `thinking` asks a Claude as Anthropic's API is asked, Nova 2 by `reasoningConfig` and the models of OpenAI by
    `reasoning_effort`; others do not take it. There is no way to say that no tool may be called: with the `tool_choice`
    `none` the tools are not shown, but for the names of those that were called before.

    Attributes:
        bedrock_cache: What to keep in the prompt cache, and for how long: `{'tools': '1h', 'system': '1h',
            'messages': '5m'}` sets a cache point after the tools, the system prompts and the instructions, and the end
            of the conversation; True sets all three for five minutes. What lives longer must not stand after what lives
            shorter.
        bedrock_guardrail: The guardrail to apply, as `{'guardrailIdentifier': 'abc', 'guardrailVersion': '1'}`.
        bedrock_performance: Such as `{'latency': 'optimized'}`.
        bedrock_prompt_variables: Values for a prompt of Prompt management, as `{'name': {'text': 'value'}}`.
        bedrock_request_fields: Fields of the model's own (`additionalModelRequestFields`); they win over ours.
        bedrock_request_metadata: Texts by which to find the request in the logs.
        bedrock_response_fields: Paths of further fields that the answer should have
            (`additionalModelResponseFieldPaths`).
        bedrock_service_tier: Such as `{'type': 'flex'}`.
    """

    bedrock_cache: bool | dict[Literal['tools', 'system', 'messages'], Literal['5m', '1h']]
    bedrock_guardrail: dict[str, str]
    bedrock_performance: dict[str, str]
    bedrock_prompt_variables: dict[str, dict[str, str]]
    bedrock_request_fields: dict[str, Any]
    bedrock_request_metadata: dict[str, str]
    bedrock_response_fields: list[str]
    bedrock_service_tier: dict[str, str]


class BedrockModel(HttpModel):
    """A model behind the Converse API of Amazon Bedrock.

    Requests carry a bearer key, or are signed with credentials of AWS, which needs the extra `bedrock`: the given ones,
    else those that botocore finds in the environment, a profile, single sign-on, or the role of the machine or
    container. They are fetched at the first request, in a worker thread, and again before they expire.

    Args:
        model_name: The name of a model, an inference profile or a resource: `us.anthropic.claude-sonnet-5-5`,
            `amazon.nova-pro-v1:0`, `arn:aws:bedrock:...`.
        region: Such as `eu-central-1`; None takes `AWS_REGION`, else `AWS_DEFAULT_REGION`, else that of the profile.
        profile: The profile of the configuration files of AWS; None takes `AWS_PROFILE`, else the default one.
        credentials: Credentials of botocore or boto3, such as `boto3.Session().get_credentials()`.
        base_url: The address; None takes `AWS_ENDPOINT_URL_BEDROCK_RUNTIME`, else `AWS_ENDPOINT_URL`, else that of the
            region.
        api_key: The bearer key, or a function that gives it (see `syncai.models.keys`); None takes
            `AWS_BEARER_TOKEN_BEDROCK`, unless `profile` or `credentials` are given.
        alias_of: The model that the name stands for, such as `claude-sonnet-5-5`, where the address has its own names:
            what the model takes is known by it. None takes the name itself.
        settings: Settings for every call.
        http: How to connect.
        provider: The name of the provider, `bedrock`.

    Raises:
        UserError: The region is not known, the extra is not installed, or an argument is wrong.
    """

    def __init__(
        self,
        model_name: str,
        *,
        region: str | None = None,
        profile: str | None = None,
        credentials: AwsCredentials | None = None,
        base_url: str | None = None,
        api_key: ApiKey | None = None,
        alias_of: str | None = None,
        settings: ModelSettings | None = None,
        http: HttpOptions = HttpOptions(),  # noqa: B008 - frozen
        provider: Literal['bedrock'] = 'bedrock',
    ) -> None:
        row = PROVIDERS[provider]
        signs = profile is not None or credentials is not None
        if signs and api_key:
            raise UserError('api_key is one way to pay, profile or credentials is another: pass one of them')
        if credentials is not None and not hasattr(credentials, 'get_frozen_credentials'):
            raise UserError(f'credentials must be credentials of botocore, not {type(credentials).__name__}')
        region_name = _region(region, profile)
        if region_name is None and not base_url and not any(os.environ.get(name) for name in row.base_url_variables):
            raise UserError(_NO_REGION)
        host = None if region_name is None else _host(region_name)
        row = replace(row, default_base_url=host, key_variables=() if signs else row.key_variables)
        super().__init__(
            model_name,
            provider=row,
            base_url=base_url,
            api_key=api_key,
            alias_of=alias_of,
            settings=settings,
            http=http,
        )
        self._signer: AwsSigner | None = None
        if self._key_function is None and 'authorization' not in self._headers:
            if region_name is None:  # the region is part of the signature
                raise UserError(_NO_REGION)
            self._signer = AwsSigner(region_name, profile, credentials)

    def at(self, base_url: str) -> Model:
        """A copy of the model for the server at this address, without signatures."""
        other = super().at(base_url)
        assert isinstance(other, BedrockModel)
        other._signer = None
        return other

    def _path(self, *, stream: bool) -> str:
        return f'/model/{quote(self._model_name, safe="")}{_STREAM if stream else "/converse"}'

    def _wants_bytes(self, item: UrlContent) -> bool:
        return not item.url.startswith(S3)

    def holds_schema(self, schema: ResultSchema) -> bool:
        """Whether the model enforces this schema: some Claude models do, if it can be written."""
        return traits_of(self._known_as).structured and can_be_written(schema.schema)

    def _body(
        self,
        messages: Sequence[ModelMessage],
        settings: ModelSettings,
        parameters: ModelRequestParameters,
        *,
        stream: bool,
    ) -> dict[str, Any]:
        del stream
        return converse_request(self._known_as, self._provider, messages, settings, parameters)

    def _completed(self, request: HttpRequest) -> HttpRequest:
        from .._transport.aws_events import AwsEventStreamDecoder

        headers: Mapping[str, str] = request.headers
        if urlsplit(request.url).path.endswith(_STREAM):
            headers = {**headers, 'accept': 'application/vnd.amazon.eventstream'}
        request = replace(request, headers=headers, decoder=AwsEventStreamDecoder, classify=classify)
        if self._signer is None or 'authorization' in headers:
            return super()._completed(request)
        return replace(request, authorize=self._signed, account=self._signer.account)

    async def _signed(self, request: HttpRequest) -> HttpRequest:
        assert self._signer is not None
        return replace(request, headers=await self._signer.headers(request))

    def _response(self, body: dict[str, Any], *, request_id: str | None, attempts: int) -> ModelResponse:
        del attempts
        return converse_response(body, self.system, self._model_name, request_id=request_id)

    def _decoder(self, builder: PartsBuilder, settings: ModelSettings) -> StreamDecoder:
        del settings
        return ConverseStreamDecoder(builder, self.system, self._model_name)

    def _refined(self, error: ModelHTTPError) -> AgentRunError:
        return refine_http_error(error, self.system, self._model_name, self._base_url)


def _region(region: str | None, profile: str | None) -> str | None:
    set_one = next((value for name in _REGION_VARIABLES if (value := os.environ.get(name, '').strip())), None)
    region_name = region or (None if profile else set_one) or region_of_profile(profile) or set_one
    if region_name and (not isinstance(region_name, str) or not _REGION.fullmatch(region_name)):
        raise UserError(f"region must be a name such as 'us-east-1', not {region_name!r:.100}")
    return region_name


def _host(region: str) -> str:
    """The address of a region: https://docs.aws.amazon.com/general/latest/gr/bedrock.html."""
    return f'https://bedrock-runtime.{region}.amazonaws.com{".cn" if region.startswith("cn-") else ""}'
