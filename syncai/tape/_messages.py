"""Responses and their parts as readable JSON, without missing values and defaults."""

from __future__ import annotations

from typing import Any, assert_never

from ..messages import (
    ModelMessagesTypeAdapter,
    ModelResponse,
    ModelResponsePart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
)
from ._rewriting import Rewrite, rewritten

_REDACTED = ('content', 'args', 'signature', 'provider_details')
"""The fields of parts with text of a model or a provider."""


class UnreadableError(ValueError):
    """A file has wrong content; its reader turns this into a `TapeError`."""


def response_json(response: ModelResponse) -> dict[str, Any]:
    """A response as JSON."""
    form = ModelMessagesTypeAdapter.dump_python([response], mode='json')[0]
    form['parts'] = [_present(part) for part in form['parts']]
    form['usage'] = _present(form['usage'])
    if not form['incomplete']:
        del form['incomplete']
    return _present(form)


def response_of(form: dict[str, Any]) -> ModelResponse:
    """The response that `response_json` wrote.

    Raises:
        ValueError: It is none.
    """
    (response,) = ModelMessagesTypeAdapter.validate_python([form])
    if not isinstance(response, ModelResponse):
        raise UnreadableError('it is no response')
    return response


def part_json(part: ModelResponsePart) -> dict[str, Any]:
    """A part as JSON."""
    if not isinstance(part, TextPart | ThinkingPart | ToolCallPart):
        assert_never(part)  # pydantic would write what no tape can read
    form: dict[str, Any] = response_json(ModelResponse([part]))['parts'][0]
    return form


def part_of(form: dict[str, Any]) -> ModelResponsePart:
    """The part that `part_json` wrote."""
    return response_of({'kind': 'response', 'parts': [form]}).parts[0]


def redacted_response(form: dict[str, Any], redact: Rewrite) -> dict[str, Any]:
    """The JSON of a response, each text of its parts and details redacted."""
    parts = [redacted_part(part, redact) for part in form['parts']]
    details: dict[str, Any] = {
        k: rewritten(redact, form[k]) for k in ('provider_details', 'provider_response_id') if k in form
    }
    return {**form, 'parts': parts, **details}


def redacted_part(form: dict[str, Any], redact: Rewrite) -> dict[str, Any]:
    """The JSON of a part, its texts redacted; its id and its tool stay, since later messages name them."""
    return {key: rewritten(redact, item) if key in _REDACTED else item for key, item in form.items()}


def _present(form: dict[str, Any]) -> dict[str, Any]:
    return {key: item for key, item in form.items() if item is not None}
