"""A row of the table of providers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Literal, TypeAlias

from .._base.frozen import dataclass
from .dialect import ChatDialect

if TYPE_CHECKING:
    from .changes import ChatChanges

__all__ = ['Provider', 'Wire']

Wire: TypeAlias = Literal['anthropic', 'bedrock', 'google', 'google-vertex', 'openai-chat', 'openai-responses']


@dataclass(frozen=True, kw_only=True, slots=True)
class Provider:
    """A provider: its address, its key, and the wire format it speaks.

    Attributes:
        name: The prefix in `provider:model`.
        title: Its name in messages to people.
        other_names: What it is also called where its name is asked for, in lower case and with hyphens.
        wire: The wire format that it speaks.
        key_variables: Environment variables that hold the API key, the first set one wins.
        key_header: The header that carries the key; in `authorization` it is a bearer token.
        base_url_variables: As `key_variables`, for the base URL.
        default_base_url: Used if neither the parameter nor the environment gives one.
        needs_key: Whether it refuses requests without a key.
        deployments: Whether a model is a deployment at the user's own address, as on Azure.
        openai_rules: Whether the rules for names of OpenAI's own models apply.
        variants: Changes of `chat` for models whose name matches a pattern (`*` matches anything). All matching
            patterns apply, in order.
        headers: Headers that every request carries.
        chat: Its differences from OpenAI, if it speaks one of OpenAI's formats.
    """

    name: str
    title: str
    other_names: tuple[str, ...] = ()
    wire: Wire = 'openai-chat'
    key_variables: tuple[str, ...] = ()
    key_header: str = 'authorization'
    base_url_variables: tuple[str, ...] = ()
    default_base_url: str | None = None
    needs_key: bool = True
    deployments: bool = False
    openai_rules: bool = False
    variants: Mapping[str, ChatChanges] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    chat: ChatDialect = field(default_factory=ChatDialect)
