"""Requests, responses, their parts, and the events by which a response arrives.

A conversation is a list of `ModelMessage`: what was sent (`ModelRequest`) and what came back (`ModelResponse`), each
made of parts. All values are frozen; `ModelMessagesTypeAdapter` turns a conversation into JSON and back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeAlias

from ._base.frozen import dataclass
from ._base.json_values import returned_text
from ._base.lazy import importer
from ._base.other_names import OF_RESPONSES
from ._base.pauses import is_pause
from ._base.tool_arguments import decoded_args, with_piece
from ._base.tool_returns import Metadata, Returned
from ._base.values import Value, now_utc, to_json_str
from ._prices import Priced
from .approvals import PendingCall
from .content import AudioUrl, BinaryContent, DocumentUrl, ImageUrl, UserContent, VideoUrl
from .exceptions import UnexpectedModelBehavior, UserError
from .usage import Usage

if TYPE_CHECKING:
    from pydantic import TypeAdapter

    ModelMessagesTypeAdapter: TypeAdapter[list[ModelMessage]]
    """Reads and writes a conversation as JSON."""

__all__ = [
    'AudioUrl',
    'BinaryContent',
    'DocumentUrl',
    'FinishReason',
    'ImageUrl',
    'ModelMessage',
    'ModelMessagesTypeAdapter',
    'ModelRequest',
    'ModelRequestPart',
    'ModelResponse',
    'ModelResponsePart',
    'ModelResponsePartDelta',
    'ModelResponseStreamEvent',
    'PartDeltaEvent',
    'PartStartEvent',
    'RetryPromptPart',
    'SystemPromptPart',
    'TextPart',
    'TextPartDelta',
    'ThinkingPart',
    'ThinkingPartDelta',
    'ToolCallPart',
    'ToolCallPartDelta',
    'ToolReturnPart',
    'UserContent',
    'UserPromptPart',
    'VideoUrl',
]

FinishReason: TypeAlias = Literal['stop', 'length', 'content_filter', 'tool_call', 'error']
"""Why a model stopped, in words common to all providers; `provider_finish_reason` is the provider's word."""


# --- requests ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class SystemPromptPart(Value):
    """Instructions to the model, from the developer; `written_by` is the function of an agent that wrote them."""

    content: str
    timestamp: datetime = field(default_factory=now_utc, kw_only=True, repr=False)
    dynamic_ref: str | None = field(default=None, kw_only=True)
    written_by: str | None = field(default=None, kw_only=True, repr=False, compare=False)
    part_kind: Literal['system-prompt'] = field(default='system-prompt', kw_only=True)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class UserPromptPart(Value):
    """What the user says: text, or a sequence of text and files."""

    content: str | Sequence[UserContent]
    timestamp: datetime = field(default_factory=now_utc, kw_only=True, repr=False)
    part_kind: Literal['user-prompt'] = field(default='user-prompt', kw_only=True)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class ToolReturnPart(Value):
    """What a tool returned, for the model to read; `metadata` is for the program alone, see `ToolReturn`."""

    tool_name: str
    content: Annotated[Any, Returned]
    tool_call_id: str
    metadata: Annotated[Any, Metadata] = field(default=None, kw_only=True)
    timestamp: datetime = field(default_factory=now_utc, kw_only=True, repr=False)
    part_kind: Literal['tool-return'] = field(default='tool-return', kw_only=True)

    def model_response_str(self) -> str:
        """The content as text: a string as it is, anything else as JSON."""
        return returned_text(self.content)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class RetryPromptPart(Value):
    """The reason why the model's last answer was refused, with the request to correct it.

    Args:
        content: A sentence, or the list of errors that pydantic found.
        tool_name: The tool whose call failed, or None if the answer itself failed.
        tool_call_id: The failed call, or None.
    """

    content: str | list[dict[str, Any]]
    tool_name: str | None = field(default=None, kw_only=True)
    tool_call_id: str | None = field(default=None, kw_only=True)
    timestamp: datetime = field(default_factory=now_utc, kw_only=True, repr=False)
    part_kind: Literal['retry-prompt'] = field(default='retry-prompt', kw_only=True)

    def model_response(self) -> str:
        """The text for the model."""
        if isinstance(self.content, str):
            problem = self.content
        else:
            count = len(self.content)
            problem = f'{count} validation error{"s" if count > 1 else ""}: {to_json_str(self.content, indent=2)}'
        return f'{problem}\n\nFix the errors and try again.'


ModelRequestPart: TypeAlias = SystemPromptPart | UserPromptPart | ToolReturnPart | RetryPromptPart
"""A part of a request."""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class ModelRequest(Value):
    """Parts to send, in order; `pending`: calls that waited; `stands_for`: the messages that it summarises in a log."""

    parts: Sequence[ModelRequestPart]
    instructions: str | None = field(default=None, kw_only=True)
    pending: tuple[PendingCall, ...] = field(default=(), kw_only=True)
    stands_for: tuple[int, int] | None = field(default=None, kw_only=True)
    kind: Literal['request'] = field(default='request', kw_only=True)

    @classmethod
    def user_text_prompt(cls, user_prompt: str, *, instructions: str | None = None) -> ModelRequest:
        """A request that holds one user prompt of text."""
        return cls(parts=[UserPromptPart(user_prompt)], instructions=instructions)


# --- responses --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class TextPart(Value):
    """Text of the model; `provider_details` must go back to the provider unchanged."""

    content: str
    id: str | None = field(default=None, kw_only=True)
    provider_details: dict[str, Any] | None = field(default=None, kw_only=True, repr=False)
    part_kind: Literal['text'] = field(default='text', kw_only=True)

    def has_content(self) -> bool:
        """Whether there is any text."""
        return bool(self.content)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class ThinkingPart(Value):
    """The thoughts of the model before its answer.

    Args:
        content: The thoughts, or a summary of them; empty where the provider hides them.
        id: The provider's id for them, or None.
        signature: An opaque proof that must go back to the provider unchanged with the next request, or None.
        provider_name: The provider that made the signature; no other can use it.
        provider_details: Further data that must go back to that provider unchanged, or None.
    """

    content: str
    id: str | None = field(default=None, kw_only=True)
    signature: str | None = field(default=None, kw_only=True)
    provider_name: str | None = field(default=None, kw_only=True)
    provider_details: dict[str, Any] | None = field(default=None, kw_only=True, repr=False)
    part_kind: Literal['thinking'] = field(default='thinking', kw_only=True)

    def has_content(self) -> bool:
        """Whether there are any thoughts to read."""
        return bool(self.content)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class ToolCallPart(Value):
    """A tool call of the model.

    Args:
        tool_name: The tool.
        args: The arguments, as the JSON text that the provider sent or as a dict.
        tool_call_id: The provider's id of this call, which the tool's return must carry.
        provider_details: Data that must go back to the provider unchanged, or None.
    """

    tool_name: str
    args: str | dict[str, Any] | None = None
    tool_call_id: str = ''
    provider_details: dict[str, Any] | None = field(default=None, kw_only=True, repr=False)
    part_kind: Literal['tool-call'] = field(default='tool-call', kw_only=True)

    @classmethod
    def from_raw_args(cls, tool_name: str, args: str | dict[str, Any], tool_call_id: str = '') -> ToolCallPart:
        """A `ToolCallPart` of these arguments."""
        return cls(tool_name, args, tool_call_id)

    def args_as_dict(self) -> dict[str, Any]:
        """The arguments as a dict.

        Raises:
            UnexpectedModelBehavior: They are not the JSON text of an object.
        """
        try:
            return decoded_args(self.args)
        except ValueError as error:
            problem = f'Arguments of tool {self.tool_name!r} are not a JSON object: {error}'
            raise UnexpectedModelBehavior(problem, str(self.args)[:500]) from None

    def args_as_json_str(self) -> str:
        """The arguments as JSON text."""
        return (self.args or '{}') if isinstance(self.args, str) else to_json_str(self.args or {})

    def has_content(self) -> bool:
        """Whether there are any arguments."""
        return bool(self.args)


ModelResponsePart: TypeAlias = TextPart | ThinkingPart | ToolCallPart
"""A part of a response."""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class ModelResponse(Value, Priced):
    """An answer of the model.

    Attributes:
        parts: Text, thinking and tool calls, in the order in which they came.
        usage: The usage of this request.
        model_name: The model that answered, as the provider names it.
        timestamp: When it answered, by the provider's clock if it has one.
        provider_name: The provider that answered.
        provider_response_id: The provider's id of this response.
        finish_reason: Why the model stopped, in common words; None until the end.
        provider_finish_reason: The same in the provider's own word.
        provider_details: Further facts from the provider, such as the `service_tier`.
        incomplete: Whether the stream was left or broke off before its end.
    """

    parts: Sequence[ModelResponsePart]
    usage: Usage = field(default_factory=Usage, kw_only=True)
    model_name: str | None = field(default=None, kw_only=True)
    timestamp: datetime = field(default_factory=now_utc, kw_only=True)
    provider_name: str | None = field(default=None, kw_only=True)
    provider_response_id: str | None = field(default=None, kw_only=True)
    finish_reason: FinishReason | None = field(default=None, kw_only=True)
    provider_finish_reason: str | None = field(default=None, kw_only=True)
    provider_details: dict[str, Any] | None = field(default=None, kw_only=True, repr=False)
    incomplete: bool = field(default=False, kw_only=True)
    kind: Literal['response'] = field(default='response', kw_only=True)

    _other_names = OF_RESPONSES
    _value_name = 'text'

    @classmethod
    def from_text(cls, content: str, timestamp: datetime | None = None) -> ModelResponse:
        """An answer of one piece of text."""
        return cls([TextPart(content)], timestamp=timestamp or now_utc())

    @classmethod
    def from_tool_call(cls, tool_call: ToolCallPart) -> ModelResponse:
        """An answer of one tool call."""
        return cls([tool_call])

    @property
    def text(self) -> str:
        """All text of the answer, joined."""
        return ''.join(part.content for part in self.parts if isinstance(part, TextPart))

    @property
    def thinking(self) -> str:
        """All thoughts of the answer, joined."""
        return ''.join(part.content for part in self.parts if isinstance(part, ThinkingPart))

    @property
    def paused(self) -> bool:
        """Whether the provider interrupted it, and continues once it is sent back; an agent sends it back."""
        return self.finish_reason is None and is_pause(self.provider_finish_reason)

    @property
    def tool_calls(self) -> list[ToolCallPart]:
        """The tool calls of the answer."""
        return [part for part in self.parts if isinstance(part, ToolCallPart)]


ModelMessage: TypeAlias = ModelRequest | ModelResponse
"""A message of a conversation: a request or a response."""


# --- the events of a stream -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class TextPartDelta(Value):
    """More text for a `TextPart`."""

    content_delta: str
    part_delta_kind: ClassVar[Literal['text']] = 'text'

    def apply(self, part: ModelResponsePart) -> TextPart:
        """`part` with the text added."""
        if not isinstance(part, TextPart):
            raise UserError(f'A TextPartDelta applies to a TextPart, not to {part!r}')
        return replace(part, content=part.content + self.content_delta)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class ThinkingPartDelta(Value):
    """More thoughts for a `ThinkingPart`, or its signature, which replaces an earlier one."""

    content_delta: str | None = None
    signature_delta: str | None = None
    provider_name: str | None = None
    part_delta_kind: ClassVar[Literal['thinking']] = 'thinking'

    def apply(self, part: ModelResponsePart) -> ThinkingPart:
        """`part` with the thoughts added and the signature set."""
        if not isinstance(part, ThinkingPart):
            raise UserError(f'A ThinkingPartDelta applies to a ThinkingPart, not to {part!r}')
        return replace(
            part,
            content=part.content + (self.content_delta or ''),
            signature=self.signature_delta or part.signature,
            provider_name=self.provider_name or part.provider_name,
        )


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class ToolCallPartDelta(Value):
    """More of a `ToolCallPart`: a piece of its name, of the JSON text of its arguments, or its id."""

    tool_name_delta: str | None = None
    args_delta: str | None = None
    tool_call_id: str | None = None
    part_delta_kind: ClassVar[Literal['tool_call']] = 'tool_call'

    def apply(self, part: ModelResponsePart) -> ToolCallPart:
        """`part` with the pieces added."""
        if not isinstance(part, ToolCallPart) or isinstance(part.args, dict):
            raise UserError(f'A ToolCallPartDelta applies to a ToolCallPart with arguments as text, not to {part!r}')
        name, args = part.tool_name + (self.tool_name_delta or ''), with_piece(part.args, self.args_delta)
        return replace(part, tool_name=name, args=args, tool_call_id=self.tool_call_id or part.tool_call_id)


ModelResponsePartDelta: TypeAlias = TextPartDelta | ThinkingPartDelta | ToolCallPartDelta
"""More of a part of a response."""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class PartStartEvent(Value):
    """A new part begins at `index`, holding what came with it.

    If the index is in use, this part replaces the earlier one: what looked like text turned out to be thoughts.
    """

    index: int
    part: ModelResponsePart
    event_kind: ClassVar[Literal['part_start']] = 'part_start'


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class PartDeltaEvent(Value):
    """More of the part at `index`."""

    index: int
    delta: ModelResponsePartDelta
    event_kind: ClassVar[Literal['part_delta']] = 'part_delta'


ModelResponseStreamEvent: TypeAlias = PartStartEvent | PartDeltaEvent
"""An event of a streamed response."""

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name != 'ModelMessagesTypeAdapter':
            return importer(__name__, {})(name)
        from pydantic import ConfigDict, TypeAdapter  # slow to import, and a plain request does not need it

        config = ConfigDict(ser_json_bytes='base64', val_json_bytes='base64', defer_build=False)
        return globals().setdefault(name, TypeAdapter(list[ModelMessage], config=config))
