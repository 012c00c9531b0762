"""The differences of servers that speak one of OpenAI's formats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Literal, TypeAlias

from .._base.frozen import dataclass

__all__ = ['ChatDialect', 'ReplayReasoning']

ReplayReasoning: TypeAlias = Literal[
    'content',
    'reasoning',
    'reasoning_content',
    'reasoning_details',
    'think_tags',
    'thinking_blocks',
    'thinking_parts',
]


@dataclass(frozen=True, kw_only=True, slots=True)
class ChatDialect:
    """The differences of a provider from OpenAI's Chat Completions; some also apply to Responses.

    Attributes:
        max_tokens_field: The name of the limit on generated tokens.
        system_role: The role of system prompts.
        single_system_message: Whether system prompts must be one message at the start.
        answers_tools_first: Whether it refuses a user's message right after a tool's: the model must speak between.
        supports_strict_tools: Whether it takes `strict` in tools.
        supports_strict_schema: Whether it takes `strict` in the schema of an answer.
        supports_json_schema: Whether it can hold its answer to a JSON schema.
        holds_schemas: When its answers are sure to fit the schema they are asked for with: `always`, where the schema
            is `strict`, or never (None). `perhaps`: it is not known. With `strict` and `perhaps` the schema is strict
            if it can be.
        schema_in_prompt: Whether the model sees the schema of its answer only if the prompt shows it.
        supports_json_object: Whether it can hold its answer to JSON.
        supports_parallel_tool_calls_flag: Whether it takes `parallel_tool_calls`.
        supports_forced_tool_choice: Whether it can be made to call a tool.
        supports_allowed_tools: Whether it takes a choice among several tools by name.
        tool_call_id_length: How many letters and digits the id of a tool call must have; None: it may be any text.
        longest_tool_call_id: How long the id of a tool call may be that another provider gave; None: of any length.
        supports_images: Whether it takes images.
        supports_image_url: Whether it fetches images from their addresses; otherwise syncai fetches them.
        supports_files: Whether it takes PDF files.
        supports_file_url: Whether it fetches them from their addresses; otherwise syncai fetches them.
        file_part: The kind of part that holds a file.
        supports_audio: Whether it takes `input_audio` parts.
        supports_video: Whether it takes `video_url` parts, of addresses and of videos themselves.
        supports_reasoning_effort: Whether it takes an effort of reasoning; None: only models known to reason.
        effort_path: The field that takes the effort of reasoning.
        efforts: Its other names of efforts.
        thinking_on: Fields that turn thinking on, whatever the effort.
        thinking_off: Fields that turn it off.
        thinking_tags: The tags between which its models think where the server has no parser for them, or None.
        thinks_first: Whether the templates of its models may write the opening tag, so that an answer begins within
            thoughts.
        replay_reasoning: How a model's own thoughts go back to it, or None: in a text field of this name, in the list
            `reasoning_details` or `thinking_blocks`, as `thinking` parts of the content, or in the text before the
            answer, with tags (`think_tags`) or without (`content`).
        replay_details: Further data of an answer that must go back to it, such as annotations.
        requires_reasoning: Whether it refuses answers without that field while it thinks: those of another provider
            get it blank.
        stream_usage: Whether usage in a stream must be requested.
        unsupported_settings: Settings that are dropped with a warning.
        settings_without_thinking: Which of these, and `tool_choice`, it takes when thinking is off.
        setting_names: Its other names of settings.
    """

    max_tokens_field: str = 'max_completion_tokens'
    system_role: Literal['system', 'developer', 'user'] = 'system'
    single_system_message: bool = False
    answers_tools_first: bool = False
    supports_strict_tools: bool = True
    supports_strict_schema: bool = True
    supports_json_schema: bool = True
    holds_schemas: Literal['always', 'perhaps', 'strict'] | None = None
    schema_in_prompt: bool = False
    supports_json_object: bool = True
    supports_parallel_tool_calls_flag: bool = True
    supports_forced_tool_choice: bool = True
    supports_allowed_tools: bool = False
    tool_call_id_length: int | None = None
    longest_tool_call_id: int | None = None
    supports_images: bool = True
    supports_image_url: bool = True
    supports_files: bool = True
    supports_file_url: bool = False
    file_part: Literal['file', 'document_url'] = 'file'
    supports_audio: bool = True
    supports_video: bool = False
    supports_reasoning_effort: bool | None = True
    effort_path: tuple[str, ...] = ('reasoning_effort',)
    efforts: Mapping[str, str] = field(default_factory=dict)
    thinking_on: Mapping[str, Any] = field(default_factory=dict)
    thinking_off: Mapping[str, Any] = field(default_factory=lambda: {'reasoning_effort': 'none'})
    thinking_tags: tuple[str, str] | None = ('<think>', '</think>')
    thinks_first: bool = False
    replay_reasoning: ReplayReasoning | None = None
    replay_details: tuple[str, ...] = ()
    requires_reasoning: bool = False
    stream_usage: Literal['include_usage', 'always'] = 'include_usage'
    unsupported_settings: frozenset[str] = frozenset({'top_k'})
    settings_without_thinking: frozenset[str] = frozenset()
    setting_names: Mapping[str, str] = field(default_factory=dict)
