"""The container in which Anthropic runs code; an unfinished answer continues in the same one; pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from ...messages import ModelMessage, ModelResponse

CONTAINER = 'container'
"""In `ModelResponse.provider_details`: the container as Anthropic describes it."""


def container_of(setting: object, messages: Sequence[ModelMessage], provider: str) -> Any:
    """The `container` of a request, or None: that of `anthropic_container`, or the one of an unfinished answer.

    Calls made by code and interrupted answers belong to the container of the answer; see
    https://platform.claude.com/docs/en/agents-and-tools/tool-use/programmatic-tool-calling.
    """
    container_id = _open_container(messages, provider)
    if container_id is None or isinstance(setting, str):
        return setting
    return {**setting, 'id': setting.get('id', container_id)} if isinstance(setting, dict) else container_id


def _open_container(messages: Sequence[ModelMessage], provider: str) -> str | None:
    """The id of the container of the last answer, if that is unfinished and the container still exists."""
    last = next((message for message in reversed(messages) if isinstance(message, ModelResponse)), None)
    if last is None or last.provider_name != provider or not (last.paused or last.tool_calls):
        return None
    container = (last.provider_details or {}).get(CONTAINER)
    if not isinstance(container, dict) or _is_over(container.get('expires_at')):
        return None
    container_id = container.get('id')
    return container_id if isinstance(container_id, str) else None


def _is_over(expires_at: object) -> bool:
    try:
        end = datetime.fromisoformat(str(expires_at))
    except ValueError:
        return False
    return (end if end.tzinfo else end.replace(tzinfo=UTC)) <= datetime.now(tz=UTC)
