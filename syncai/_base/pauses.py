"""Which of the providers' words for the end of an answer say that it is not over."""

from __future__ import annotations

import re

__all__ = ['is_pause']

# `pause_turn` and `compaction` are Anthropic's (https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons
# and .../compaction), `CONTINUATION` is Gemini's (types.FinishReason of google-genai), the last two are reasons of an
# incomplete answer of OpenAI Responses. Any other word that speaks of a pause or of continuing means the same.
_PAUSE = re.compile(r'pause|(?<!dis)continu|compaction|max_messages$|steered$', re.IGNORECASE)


def is_pause(reason: str | None) -> bool:
    """Whether the provider has interrupted the answer, and continues when it gets it back."""
    return reason is not None and _PAUSE.search(reason) is not None
