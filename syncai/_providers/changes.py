"""The type of the differences of some models of a provider; imported only by type checkers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypedDict

from .dialect import ReplayReasoning

__all__ = ['ChatChanges']


class ChatChanges(TypedDict, total=False):
    """The differences of some models of a provider: fields of `ChatDialect`."""

    max_tokens_field: str
    system_role: Literal['system', 'developer', 'user']
    single_system_message: bool
    answers_tools_first: bool
    supports_strict_tools: bool
    supports_strict_schema: bool
    supports_json_schema: bool
    holds_schemas: Literal['always', 'perhaps', 'strict'] | None
    schema_in_prompt: bool
    supports_json_object: bool
    supports_parallel_tool_calls_flag: bool
    supports_forced_tool_choice: bool
    supports_allowed_tools: bool
    tool_call_id_length: int | None
    longest_tool_call_id: int | None
    supports_images: bool
    supports_image_url: bool
    supports_files: bool
    supports_file_url: bool
    file_part: Literal['file', 'document_url']
    supports_audio: bool
    supports_video: bool
    supports_reasoning_effort: bool | None
    effort_path: tuple[str, ...]
    efforts: Mapping[str, str]
    thinking_on: Mapping[str, Any]
    thinking_off: Mapping[str, Any]
    thinking_tags: tuple[str, str] | None
    thinks_first: bool
    replay_reasoning: ReplayReasoning | None
    replay_details: tuple[str, ...]
    requires_reasoning: bool
    stream_usage: Literal['include_usage', 'always']
    unsupported_settings: frozenset[str]
    settings_without_thinking: frozenset[str]
    setting_names: Mapping[str, str]
