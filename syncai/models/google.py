"""Google's Gemini API."""

from __future__ import annotations

import re
from typing import Any, Literal

from ..settings import HttpOptions, ModelSettings
from ._google_model import GeminiModel, plain_name
from ._provider_rows import PROVIDERS

__all__ = ['GoogleModel', 'GoogleModelSettings']

_VERSION = re.compile(r'/v\d+[a-z0-9]*$')


class GoogleModelSettings(ModelSettings, total=False):
    """Settings of Google's own, besides those common to all providers.

    Attributes:
        google_safety_settings: What to block, as
            `[{'category': 'HARM_CATEGORY_HARASSMENT', 'threshold': 'BLOCK_ONLY_HIGH'}]`.
        google_thinking_config: How to think, in Google's words, as `{'thinkingBudget': 2048}`; replaces `thinking`.
        google_cached_content: The name of a prompt that was cached before, such as `cachedContents/abc`.
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
        api_key: The key; None takes `GOOGLE_API_KEY`, else `GEMINI_API_KEY`. An address on this machine needs none.
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
        api_key: str | None = None,
        settings: ModelSettings | None = None,
        http: HttpOptions = HttpOptions(),  # noqa: B008 - frozen
        provider: str = 'google',
    ) -> None:
        super().__init__(
            plain_name(model_name),
            provider=PROVIDERS[provider],
            base_url=base_url,
            api_key=api_key,
            settings=settings,
            http=http,
        )
        if not _VERSION.search(self._base_url):
            self._base_url += '/v1beta'

    def _auth_headers(self, key: str) -> dict[str, str]:
        return {'x-goog-api-key': key}
