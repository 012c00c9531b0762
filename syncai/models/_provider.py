"""What is known of a provider: a row of the providers' table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Wire: TypeAlias = Literal['openai-chat']


@dataclass(frozen=True, kw_only=True, slots=True)
class Provider:
    """Where a provider is, how it is paid, and in what it differs from OpenAI's own Chat Completions.

    Attributes:
        name: The prefix in `provider:model`.
        title: Its name in messages to people.
        wire: The wire format that it speaks.
        key_variables: Environment variables that hold the API key, the first set one wins.
        base_url_variables: The same for the base URL.
        default_base_url: Used where neither the parameter nor the environment gives one.
        needs_key: Whether it refuses requests without a key.
        max_tokens_field: The name of the limit on generated tokens.
        system_role: The role of system prompts.
        single_system_message: Whether system prompts must be one message at the start.
        supports_strict_tools: Whether it takes `strict` in tools and schemas.
        supports_json_schema: Whether it can hold its answer to a JSON schema.
        supports_json_object: Whether it can hold its answer to JSON.
        supports_parallel_tool_calls_flag: Whether it takes `parallel_tool_calls`.
        supports_forced_tool_choice: Whether it can be made to call a tool.
        supports_allowed_tools: Whether it takes a choice among several tools by name.
        supports_files: Whether it takes `file` parts.
        supports_file_url: Whether `file` parts may be addresses.
        supports_audio: Whether it takes `input_audio` parts.
        supports_reasoning_effort: Whether it takes `reasoning_effort`; None: only models known to reason.
        replay_reasoning: The field in which it wants a model's own thoughts back, or None.
        stream_usage: Whether usage in a stream must be asked for.
        unsupported_settings: Settings that are dropped with a warning.
        setting_names: Settings that it knows under another name.
        headers: Headers that every request carries.
    """

    name: str
    title: str
    wire: Wire = 'openai-chat'
    key_variables: tuple[str, ...] = ()
    base_url_variables: tuple[str, ...] = ()
    default_base_url: str | None = None
    needs_key: bool = True
    max_tokens_field: str = 'max_completion_tokens'
    system_role: Literal['system', 'developer', 'user'] = 'system'
    single_system_message: bool = False
    supports_strict_tools: bool = True
    supports_json_schema: bool = True
    supports_json_object: bool = True
    supports_parallel_tool_calls_flag: bool = True
    supports_forced_tool_choice: bool = True
    supports_allowed_tools: bool = False
    supports_files: bool = True
    supports_file_url: bool = False
    supports_audio: bool = True
    supports_reasoning_effort: bool | None = True
    replay_reasoning: str | None = None
    stream_usage: Literal['include_usage', 'always'] = 'include_usage'
    unsupported_settings: frozenset[str] = frozenset({'top_k'})
    setting_names: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
