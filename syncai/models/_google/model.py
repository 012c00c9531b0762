"""The base of models that speak Gemini's wire format."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from ...exceptions import AgentRunError, ModelHTTPError
from ...messages import ModelMessage, ModelResponse
from ...parameters import ModelRequestParameters, ResultSchema
from ...settings import ModelSettings
from .._http.answers import StreamDecoder
from .._http.model import HttpModel
from .._http.parts import PartsBuilder
from .errors import refine_http_error
from .request import google_request
from .response import GoogleStreamDecoder, google_response


def plain_name(model_name: str) -> str:
    """The name without the prefix `models/` of Google's lists."""
    return model_name.removeprefix('models/') if isinstance(model_name, str) else model_name


class GeminiModel(HttpModel):
    """The common part of the Gemini API and Vertex AI: all but the address and the credentials."""

    def _path(self, *, stream: bool) -> str:
        # Tuned models are in their own collection, which is the prefix of the name.
        collection = 'tunedModels' if self._model_name.startswith('tunedModels/') else 'models'
        name = self._model_name.removeprefix('tunedModels/')
        method = 'streamGenerateContent?alt=sse' if stream else 'generateContent'
        return f'/{collection}/{quote(name, safe="")}:{method}'

    def holds_schema(self, schema: ResultSchema) -> bool:
        """True, since Gemini follows any schema if there are no tools."""
        del schema
        return True

    def _body(
        self,
        messages: Sequence[ModelMessage],
        settings: ModelSettings,
        parameters: ModelRequestParameters,
        *,
        stream: bool,
    ) -> dict[str, Any]:
        del stream  # the path has it
        return google_request(self._known_as, self._provider, messages, settings, parameters)

    def _response(self, body: dict[str, Any], *, request_id: str | None, attempts: int) -> ModelResponse:
        return google_response(body, self.system, self._model_name, request_id=request_id, attempts=attempts)

    def _decoder(self, builder: PartsBuilder, settings: ModelSettings) -> StreamDecoder:
        del settings
        return GoogleStreamDecoder(builder, self.system, self._model_name)

    def _refined(self, error: ModelHTTPError) -> AgentRunError:
        return refine_http_error(error, self.system, self._model_name, self._base_url)
