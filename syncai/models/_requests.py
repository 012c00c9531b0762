"""What the requests of several wire formats have in common; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .._values import to_json_str
from ..content import BinaryContent, MultiModalContent, UserContent
from ..exceptions import UserError
from ..messages import ModelMessage, ModelRequest
from ..tools import ToolDefinition

NO_MESSAGES = 'messages is empty: the model needs at least one part, as [ModelRequest.user_text_prompt("...")]'
"""What is wrong with a conversation in which nobody says anything."""

NO_CONTENT = 'A UserPromptPart holds no content: give it text or a sequence of text and files'

AUDIO_FORMATS: Mapping[str, str] = {
    'audio/wav': 'wav',
    'audio/x-wav': 'wav',
    'audio/wave': 'wav',
    'audio/vnd.wave': 'wav',
    'audio/mpeg': 'mp3',
    'audio/mp3': 'mp3',
}
"""The sounds that OpenAI takes, and what it calls them."""

_TEXT_TYPES = frozenset({'application/json', 'application/xml', 'application/yaml', 'application/x-yaml'})


def latest_instructions(messages: Sequence[ModelMessage]) -> str | None:
    """Those of the latest request: instructions are for now, and not part of the history."""
    for message in reversed(messages):
        if isinstance(message, ModelRequest):
            return message.instructions
    return None


def check_tool_names(names: Sequence[str], tools: Sequence[ToolDefinition]) -> None:
    """Nothing, when every name is that of a tool.

    Raises:
        UserError: One is not; names it and the tools.
    """
    known = [tool.name for tool in tools]
    if unknown := [name for name in names if name not in known]:
        raise UserError(f'tool_choice names {unknown[0]!r}; the tools of this request are {", ".join(known)}')


def returned_items(content: Any) -> list[UserContent]:
    """What a tool returned: files as they are, alone or in a list, and anything else as text."""
    items = content if isinstance(content, list | tuple) else [content]
    if not any(isinstance(item, MultiModalContent) for item in items):
        items = [content]
    return [item if isinstance(item, str | MultiModalContent) else to_json_str(item) for item in items]


def is_text_document(media_type: str) -> bool:
    """Whether a file of this type is text, which can be put in the prompt itself."""
    return media_type.startswith('text/') or media_type in _TEXT_TYPES


def text_document(item: BinaryContent) -> str:
    """A file of text, with its name, as a piece of the prompt."""
    name = item.filename or item.media_type
    text = item.data.decode('utf-8', errors='replace')
    return f'-----BEGIN FILE {name}-----\n{text}\n-----END FILE {name}-----'
