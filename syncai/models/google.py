"""Google's Gemini models, behind the Gemini API or Vertex AI."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from ..exceptions import UserError
from ..settings import HttpOptions, ModelSettings
from ._catalog.providers import PROVIDERS
from ._google.model import GeminiModel, plain_name
from ._google.token import GoogleCredentials, cloud_token
from ._interface import Model
from .keys import ApiKey

if TYPE_CHECKING:
    from .._transport.request import HttpRequest
    from ._http.batches import Batches

__all__ = ['GoogleCredentials', 'GoogleModel', 'GoogleModelSettings', 'GoogleVertexModel']

_VERSION = re.compile(r'/v\d+[a-z0-9]*$')
_ENDPOINT = re.compile(r'(/v\d+[a-z0-9]*)/models(/[^/]+:\w+)?$')  # as in copied addresses
_PLACE = re.compile(r'[a-z0-9][a-z0-9.:-]*')
_PROJECT_VARIABLES = ('GOOGLE_CLOUD_PROJECT', 'GCLOUD_PROJECT')
_REGION_VARIABLES = ('GOOGLE_CLOUD_LOCATION', 'GOOGLE_CLOUD_REGION')


class GoogleModelSettings(ModelSettings, total=False):
    """Google's own settings, besides those common to all providers.

    Attributes:
        google_safety_settings: What to block, as
            `[{'category': 'HARM_CATEGORY_HARASSMENT', 'threshold': 'BLOCK_ONLY_HIGH'}]`.
        google_thinking_config: How to think, in Google's words, as `{'thinkingBudget': 2048}`; replaces `thinking`.
        google_cached_content: The name of a prompt that was cached before, such as `cachedContents/abc`; Gemini takes
            no system prompts and no tools beside it. (It caches common beginnings of prompts by itself.)
        google_media_resolution: The resolution at which to look at images and video.
        google_service_tier: The tier that serves the request.
        google_labels: Labels for the bill; Vertex AI only.
    """

    google_safety_settings: list[dict[str, str]]
    google_thinking_config: dict[str, Any]
    google_cached_content: str
    google_media_resolution: Literal['MEDIA_RESOLUTION_LOW', 'MEDIA_RESOLUTION_MEDIUM', 'MEDIA_RESOLUTION_HIGH']
    google_service_tier: Literal['flex', 'standard', 'priority']
    google_labels: dict[str, str]


class GoogleModel(GeminiModel):
    """A Gemini model behind Google's Gemini API.

    Args:
        model_name: Such as `gemini-3.7-flash`, with or without `models/`.
        base_url: The address, with or without the version of the API; None takes `GOOGLE_GEMINI_BASE_URL`, else
            Google's own. The version is `v1beta`, the one that takes JSON schemas, unless the address ends in another.
        api_key: The key, or a function that gives it (see `syncai.models.keys`); None takes `GOOGLE_API_KEY`, else
            `GEMINI_API_KEY`. An address on this machine needs none.
        default_query: Query parameters of every request, besides those in `base_url`.
        alias_of: The model that the name stands for, such as `gemini-3.7-flash`, where the address has its own names:
            what the model takes is known by it. None takes the name itself.
        settings: Settings for every call.
        http: How to connect.
        provider: The name of the provider, `google`.

    Raises:
        MissingKeyError: No key was given and none is set.
        UserError: An argument is wrong.
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
        provider: Literal['google'] = 'google',
    ) -> None:
        super().__init__(
            plain_name(model_name),
            provider=PROVIDERS[provider],
            base_url=base_url,
            api_key=api_key,
            default_query=default_query,
            alias_of=alias_of,
            settings=settings,
            http=http,
        )
        self._base_url = _ENDPOINT.sub(r'\1', self._base_url)
        if not _VERSION.search(self._base_url):
            self._base_url += '/v1beta'

    @property
    def _batches(self) -> Batches:
        """The batch API of the Gemini API."""
        from ._google.batches import GoogleBatches

        return GoogleBatches(self)


class GoogleVertexModel(GeminiModel):
    """A Gemini model behind Google Cloud's Vertex AI; needs the extra `vertex`.

    The first request of the process fetches a bearer token, in a worker thread; the token is kept until it expires.

    Args:
        model_name: Such as `gemini-3.7-flash`.
        project: The project that pays; None takes `GOOGLE_CLOUD_PROJECT`, else `GCLOUD_PROJECT`.
        region: Where the model runs, such as `europe-west4`, `eu` or `global`; None takes `GOOGLE_CLOUD_LOCATION`, else
            `GOOGLE_CLOUD_REGION`.
        credentials: Credentials of google-auth, with the scope `cloud-platform`; None takes those that it finds: the
            file named by `GOOGLE_APPLICATION_CREDENTIALS`, those of `gcloud auth application-default login`, or those
            of the machine in Google's cloud.
        base_url: The address, with or without the version of the API, and without the project; None takes
            `GOOGLE_VERTEX_BASE_URL`, else that of the region.
        alias_of: The model that the name stands for, such as `gemini-3.7-flash`, where the address has its own names:
            what the model takes is known by it. None takes the name itself.
        settings: Settings for every call.
        http: How to connect.
        provider: The name of the provider, `google-vertex`.

    Raises:
        UserError: The project or the region is not known, the extra is not installed, or an argument is wrong.
    """

    def __init__(
        self,
        model_name: str,
        *,
        project: str | None = None,
        region: str | None = None,
        credentials: GoogleCredentials | None = None,
        base_url: str | None = None,
        alias_of: str | None = None,
        settings: ModelSettings | None = None,
        http: HttpOptions = HttpOptions(),  # noqa: B008 - frozen
        provider: Literal['google-vertex'] = 'google-vertex',
    ) -> None:
        project, region = _project_and_region(project, region)
        super().__init__(
            plain_name(model_name),
            provider=replace(PROVIDERS[provider], default_base_url=_host(region)),
            base_url=base_url,
            api_key=None,
            alias_of=alias_of,
            settings=settings,
            http=http,
        )
        version = '' if _VERSION.search(self._base_url) else '/v1beta1'
        self._base_url += f'{version}/projects/{project}/locations/{region}/publishers/google'
        self._token = cloud_token(credentials)

    def at(self, base_url: str) -> Model:
        """The same model of the Gemini API at this address, without a token."""
        return GoogleModel(
            self._model_name,
            base_url=base_url,
            api_key='none',
            alias_of=self._known_as,
            settings=self.settings,
            http=self._http,
        )

    def _completed(self, request: HttpRequest) -> HttpRequest:
        if 'authorization' in request.headers:  # of extra_headers
            return request
        return replace(
            request, authorize=self._with_token, account=hash(self._base_url)
        )  # quotas are those of the project

    async def _with_token(self, request: HttpRequest) -> HttpRequest:
        token = await self._token.headers(self._http, model_name=self._model_name, provider=self.system)
        return replace(request, headers={**request.headers, **token})


def _project_and_region(project: str | None, region: str | None) -> tuple[str, str]:
    sources = {'project': (project, _PROJECT_VARIABLES), 'region': (region, _REGION_VARIABLES)}
    values = {name: value or _set_in(variables) for name, (value, variables) in sources.items()}
    missing = [f'pass {name}=... or set {sources[name][1][0]}' for name, value in values.items() if not value]
    if missing:
        raise UserError(f'Vertex AI needs a project and a region: {"; ".join(missing)}')
    for name, value in values.items():
        if not isinstance(value, str) or not _PLACE.fullmatch(value):
            raise UserError(f'{name} must be a name of Google Cloud, not {value!r}')
    return values['project'], values['region']


def _set_in(variables: tuple[str, ...]) -> str:
    return next((value for name in variables if (value := os.environ.get(name, '').strip())), '')


def _host(region: str) -> str:
    """The address of a region: https://docs.cloud.google.com/gemini-enterprise-agent-platform/resources/locations."""
    if region == 'global':
        return 'https://aiplatform.googleapis.com'
    if region in ('us', 'eu'):
        return f'https://aiplatform.{region}.rep.googleapis.com'
    return f'https://{region}-aiplatform.googleapis.com'
