"""Answers of Gemini that are too long for one request, and continue in the next; pure."""

from __future__ import annotations

from collections.abc import Sequence

from ...messages import ModelMessage, ModelResponse

CONTINUATION = 'continuationToken'
"""In `ModelResponse.provider_details`: that for which a request continues from the answer, as Gemini gave it."""


def continuation(messages: Sequence[ModelMessage], provider: str) -> tuple[Sequence[ModelMessage], str | None]:
    """The messages without the interrupted answer at their end, and the token for which Gemini continues from it.

    It continues from the same contents, as the `automatic_continuation` of google-genai has it do.
    """
    end, token = len(messages), None
    while end and isinstance(last := messages[end - 1], ModelResponse) and last.paused:
        if last.provider_name == provider:
            token = token or (last.provider_details or {}).get(CONTINUATION)
        end -= 1
    return (messages[:end], token) if isinstance(token, str) else (messages, None)
