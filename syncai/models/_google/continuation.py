"""Answers of Gemini that are too long for one request and continue in the next one; pure."""

from __future__ import annotations

from collections.abc import Sequence

from ...messages import ModelMessage, ModelResponse

CONTINUATION = 'continuationToken'
"""In `ModelResponse.provider_details`: Gemini's token to continue the answer."""


def continuation(messages: Sequence[ModelMessage], provider: str) -> tuple[Sequence[ModelMessage], str | None]:
    """The messages without the interrupted answer at their end, and Gemini's token to continue it.

    Gemini continues from the same contents, as `automatic_continuation` of google-genai does.
    """
    end, token = len(messages), None
    while end and isinstance(last := messages[end - 1], ModelResponse) and last.paused:
        if last.provider_name == provider:
            token = token or (last.provider_details or {}).get(CONTINUATION)
        end -= 1
    return (messages[:end], token) if isinstance(token, str) else (messages, None)
