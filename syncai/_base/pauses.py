"""Which stop reasons of providers mean that the answer is not over."""

from __future__ import annotations

import re

__all__ = ['is_pause']

# `pause_turn` and `compaction` are Anthropic's (https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons
# and .../compaction), `CONTINUATION` is Gemini's (types.FinishReason of google-genai), the last two are reasons of an
# incomplete answer of OpenAI Responses. Any other word for a pause or a continuation means the same.
_PAUSE = re.compile(r'pause|(?<!dis)continu|compaction|max_messages$|steered$', re.IGNORECASE)


def is_pause(reason: str | None) -> bool:
    """Whether the provider interrupted the answer, and continues once it is sent back."""
    return reason is not None and _PAUSE.search(reason) is not None
