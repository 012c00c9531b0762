"""The common part of several wire formats' requests; pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Never, TypeVar

from ..._base.json import write_json
from ..._base.json_values import HALF_PAIR, returned_text, whole_values, without_files
from ..._base.system import warn_in_log
from ...content import BinaryContent, MultiModalContent, UserContent
from ...exceptions import UserError
from ...messages import ModelMessage, ModelRequest
from ...parameters import ToolDefinition

if TYPE_CHECKING:
    from ...parameters import ModelRequestParameters

T = TypeVar('T')

NO_MESSAGES = 'messages is empty: the model needs at least one part, as [ModelRequest.user_text_prompt("...")]'
"""The error text for a conversation without content."""

NO_CONTENT = 'A UserPromptPart holds no content: give it text or a sequence of text and files'

AUDIO_FORMATS: Mapping[str, str] = {
    'audio/wav': 'wav',
    'audio/x-wav': 'wav',
    'audio/wave': 'wav',
    'audio/vnd.wave': 'wav',
    'audio/mpeg': 'mp3',
    'audio/mp3': 'mp3',
}
"""The audio types that OpenAI takes, and its names for them."""

_TEXT_TYPES = frozenset({'application/json', 'application/xml', 'application/yaml', 'application/x-yaml'})


def unknown_part(message: str, part: Never) -> UserError:
    """The error for a part of an unknown kind. Its type `Never` has type checkers prove that all kinds are handled.

    Args:
        message: The class of the message that holds it.
        part: The part.
    """
    return UserError(f'A {message} cannot hold {part!r:.200}')


def latest_instructions(messages: Sequence[ModelMessage]) -> str | None:
    """The instructions of the latest request; earlier ones are not part of the history."""
    for message in reversed(messages):
        if isinstance(message, ModelRequest):
            return message.instructions
    return None


def offered_tools(
    settings: Mapping[str, Any], parameters: ModelRequestParameters, builtin: Sequence[object] = ()
) -> list[ToolDefinition]:
    """The tools of a request; `tool_choice` fits them.

    Args:
        settings: The settings of the call.
        parameters: What the request offers.
        builtin: Tools of the provider, which can be required too.

    Raises:
        UserError: `tool_choice` names a missing tool, or requires a call without any tools.
    """
    tools = [*parameters.function_tools, *parameters.result_tools]
    choice = settings.get('tool_choice')
    if choice is None:
        return tools
    names = chosen_names(settings)
    if not tools and not builtin and (names or choice == 'required'):
        raise UserError(f'tool_choice is {choice!r}, and there is no tool to call')
    tool_names = [tool.name for tool in tools]
    if unknown := [name for name in names if name not in tool_names]:
        raise UserError(f'tool_choice names {unknown[0]!r}; the tools of this request are {", ".join(tool_names)}')
    return tools


def chosen_names(settings: Mapping[str, Any]) -> list[str]:
    """The tools in `tool_choice`, one of which must be called."""
    choice = settings.get('tool_choice')
    return list(choice) if isinstance(choice, list | tuple) else []


def with_properties(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a tool with `properties`, even if empty: OpenAI refuses an object without them."""
    return schema if 'properties' in schema else {**schema, 'properties': {}}


def request_json(body: dict[str, Any]) -> bytes:
    """The body of a request as JSON; halves of surrogate pairs in it are replaced, with a warning.

    Raises:
        UserError: It holds a value that JSON cannot express.
    """
    try:
        return write_json(body)
    except ValueError as error:
        if 'surrogate' not in str(error):
            raise UserError(f'The request holds a value that cannot be written as JSON: {error}') from None
    warn_in_log(HALF_PAIR, 'A request')
    return write_json(whole_values(body))


def returned_items(content: Any) -> list[UserContent]:
    """The return of a tool: its files, and the rest as text with a note in place of each file."""
    if isinstance(content, list | tuple) and any(isinstance(item, MultiModalContent) for item in content):
        return [piece for item in content for piece in _pieces(item)]
    return _pieces(content)


def for_tool(tool_name: str, write: Callable[..., T], *arguments: Any) -> T:
    """The output of `write` for the return of a tool; errors name the tool."""
    try:
        return write(*arguments)
    except UserError as error:
        raise UserError(f'What tool {tool_name!r} returned cannot be sent: {error}') from None


def _pieces(item: Any) -> list[UserContent]:
    if isinstance(item, str | MultiModalContent):
        return [item]
    text, files = without_files(returned_text, item)
    return [text, *files]


def is_text_document(media_type: str) -> bool:
    """Whether a file of this type is text, which can be part of the prompt."""
    return media_type.startswith('text/') or media_type in _TEXT_TYPES


def text_document(item: BinaryContent) -> str:
    """A file of text, with its name, as a piece of the prompt."""
    name = item.filename or item.media_type
    text = item.data.decode('utf-8', errors='replace')
    return f'-----BEGIN FILE {name}-----\n{text}\n-----END FILE {name}-----'
