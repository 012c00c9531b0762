"""The providers, as data: a server that speaks a known wire format is one more row."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

from ..exceptions import MissingKeyError, UserError

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


_ROWS = (
    Provider(
        name='openai',
        title='OpenAI',
        key_variables=('OPENAI_API_KEY',),
        base_url_variables=('OPENAI_BASE_URL',),
        default_base_url='https://api.openai.com/v1',
        supports_allowed_tools=True,
        supports_reasoning_effort=None,
    ),
    Provider(
        name='ollama',
        title='Ollama',
        key_variables=('OLLAMA_API_KEY',),
        base_url_variables=('OLLAMA_BASE_URL',),
        default_base_url='http://localhost:11434/v1',
        needs_key=False,
        max_tokens_field='max_tokens',
        supports_strict_tools=False,
        supports_parallel_tool_calls_flag=False,
        supports_forced_tool_choice=False,
        supports_files=False,
        supports_audio=False,
        unsupported_settings=frozenset({'top_k', 'logit_bias'}),
    ),
)

PROVIDERS: Mapping[str, Provider] = {row.name: row for row in _ROWS}

_SAMPLING = frozenset({'temperature', 'top_p', 'presence_penalty', 'frequency_penalty', 'logit_bias'})


def for_model(provider: Provider, model_name: str) -> Provider:
    """The row with what is particular to one of the provider's models."""
    if provider.name != 'openai':
        return provider
    if not is_openai_reasoning_model(model_name):
        return replace(provider, supports_reasoning_effort=False)
    role: Literal['developer', 'user'] = 'user' if model_name.startswith(('o1-mini', 'o1-preview')) else 'developer'
    dropped = provider.unsupported_settings | _SAMPLING
    return replace(provider, supports_reasoning_effort=True, system_role=role, unsupported_settings=dropped)


def is_openai_reasoning_model(model_name: str) -> bool:
    """Whether a model of OpenAI reasons, by its name: the o series, and gpt-5 and later but for the chat variants."""
    if model_name.startswith(('o1', 'o3', 'o4')):
        return True
    family, _, rest = model_name.removeprefix('gpt-').partition('-')
    major = family.partition('.')[0]
    return model_name.startswith('gpt-') and major.isdigit() and int(major) >= 5 and not rest.startswith('chat')


def resolve_base_url(provider: Provider, base_url: str | None) -> str:
    """The parameter, else the environment's, else the provider's own address, without a slash at its end.

    Raises:
        UserError: It is not an http or https address.
    """
    if base_url is not None and not isinstance(base_url, str):
        raise UserError(f'base_url must be an address like https://host/v1, not {type(base_url).__name__}')
    source, url = 'base_url', base_url or provider.default_base_url
    if not base_url and (set_one := _from_environment(provider.base_url_variables)):
        source, url = next(name for name in provider.base_url_variables if os.environ.get(name)), set_one
    if url is None:
        variable = ' or '.join(provider.base_url_variables)
        raise UserError(f'{provider.title} needs an address: pass base_url=..., or set {variable}')
    url = url.strip()
    if wrong := _wrong_in(url):
        raise UserError(f'{source} {wrong}')
    return url.rstrip('/').removesuffix('/chat/completions').rstrip('/')


def _wrong_in(url: str) -> str | None:
    """What is wrong with a base URL, in words that show no password of it."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:  # a port that is no number, or half a bracket
        return f'cannot be read ({error}): write an address like https://host/v1'
    if '@' in parts.netloc:
        return 'holds a user name or password: pass the key as api_key=... instead'
    if parts.query or parts.fragment:
        return 'must end with its path, without ? or #: pass a key as api_key=...'
    if parts.scheme not in ('http', 'https') or not host or any(c.isspace() for c in url):
        bare = '://' not in url and url and '@' not in url and not any(c.isspace() for c in url)
        scheme = 'http' if is_loopback(f'http://{url}') else 'https'
        meant = f': did you mean {scheme + "://" + url!r}?' if bare else ''
        return f'must be an address like https://host/v1, not {url.rpartition("@")[2]!r}{meant}'
    return 'has port 0' if port == 0 else None


def resolve_key(provider: Provider, api_key: str | None, base_url: str) -> str | None:
    """The parameter, else the environment's key; None where no key is needed.

    Raises:
        MissingKeyError: There is none; names the variable and the parameter.
        UserError: The key cannot be sent in a header; the message does not show it.
    """
    if api_key is not None and not isinstance(api_key, str):
        raise UserError(f'api_key must be a str, not {type(api_key).__name__}')
    key = (api_key or _from_environment(provider.key_variables) or '').strip()
    if not key:
        if not provider.needs_key or is_loopback(base_url):
            return None
        variable = ' or '.join(provider.key_variables)
        raise MissingKeyError(
            f'No API key for {provider.title}: set the environment variable {variable}, or pass api_key=...'
        )
    if not key.isascii() or not key.isprintable() or ' ' in key:
        raise UserError(f'The API key for {provider.title} holds a character that no key has: was it copied whole?')
    return key


def is_loopback(url: str) -> bool:
    """Whether an address is this machine's own."""
    host = urlsplit(url).hostname or ''
    if host == 'localhost' or host.endswith('.localhost'):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _from_environment(variables: tuple[str, ...]) -> str | None:
    return next((value for name in variables if (value := os.environ.get(name, '').strip())), None)
