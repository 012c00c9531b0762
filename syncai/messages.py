"""Requests, responses, their parts, and the events by which a response arrives.

A conversation is a list of `ModelMessage`: what was sent (`ModelRequest`) and what came back (`ModelResponse`), each
made of parts. All values are frozen; `ModelMessagesTypeAdapter` turns a conversation into JSON and back.
"""

from __future__ import annotations

import base64
import json
import mimetypes
from collections.abc import Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

from .exceptions import UnexpectedModelBehavior, UserError
from .usage import Usage

if TYPE_CHECKING:
    from pydantic import TypeAdapter

    ModelMessagesTypeAdapter: TypeAdapter[list[ModelMessage]]

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
"""Why a model stopped, in the words common to all providers; the provider's own word is `provider_finish_reason`."""


def now_utc() -> datetime:
    """The current time, aware, in UTC."""
    return datetime.now(tz=timezone.utc)


class _Value:
    """A repr that shows what differs from the defaults, so that a message reads like the code that would make it."""

    __slots__ = ()
    _hidden: ClassVar[frozenset[str]] = frozenset()

    def __repr__(self) -> str:
        shown = (f.name for f in fields(self) if f.repr and not self._is_default(f))  # type: ignore[arg-type]
        return f'{type(self).__name__}({", ".join(f"{name}={getattr(self, name)!r}" for name in shown)})'

    def _is_default(self, f: Any) -> bool:
        return f.default is not MISSING and getattr(self, f.name) == f.default


# --- what a user prompt may contain -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, repr=False)
class _Url(_Value):
    url: str
    media_type_: str | None = field(default=None, kw_only=True)

    @property
    def media_type(self) -> str:
        """The MIME type given as `media_type_`, else guessed from the URL's ending.

        Raises:
            UserError: Neither says what it is.
        """
        guess = self.media_type_ or mimetypes.guess_type(self.url.partition('?')[0])[0]
        if guess is None:
            raise UserError(f'Cannot tell the media type of {self.url!r}: pass it as {type(self).__name__}(url, media_type_=...)')
        return guess


@dataclass(frozen=True, slots=True, repr=False)
class ImageUrl(_Url):
    """An image by its address; `detail` is the resolution that OpenAI should look at."""

    detail: Literal['auto', 'low', 'high', 'original'] | None = field(default=None, kw_only=True)
    kind: Literal['image-url'] = field(default='image-url', kw_only=True)


@dataclass(frozen=True, slots=True, repr=False)
class AudioUrl(_Url):
    """A sound recording by its address."""

    kind: Literal['audio-url'] = field(default='audio-url', kw_only=True)


@dataclass(frozen=True, slots=True, repr=False)
class DocumentUrl(_Url):
    """A document by its address."""

    kind: Literal['document-url'] = field(default='document-url', kw_only=True)


@dataclass(frozen=True, slots=True, repr=False)
class VideoUrl(_Url):
    """A video by its address."""

    kind: Literal['video-url'] = field(default='video-url', kw_only=True)


@dataclass(frozen=True, slots=True, repr=False)
class BinaryContent(_Value):
    """A file's bytes with their MIME type; in JSON the bytes are base64.

    Args:
        data: The bytes.
        media_type: Such as `image/png`, `audio/wav`, `application/pdf`.
        filename: The name to show the model, or None.
        detail: For an image: the resolution that OpenAI should look at.
    """

    data: bytes
    media_type: str
    filename: str | None = field(default=None, kw_only=True)
    detail: Literal['auto', 'low', 'high', 'original'] | None = field(default=None, kw_only=True)
    kind: Literal['binary'] = field(default='binary', kw_only=True)

    def __repr__(self) -> str:
        return f'BinaryContent(data=<{len(self.data)} bytes>, media_type={self.media_type!r})'

    @property
    def is_image(self) -> bool:
        """Whether the media type is an image's."""
        return self.media_type.startswith('image/')

    @property
    def is_audio(self) -> bool:
        """Whether the media type is a sound's."""
        return self.media_type.startswith('audio/')

    @property
    def is_video(self) -> bool:
        """Whether the media type is a video's."""
        return self.media_type.startswith('video/')

    @property
    def base64(self) -> str:
        """The bytes in base64."""
        return base64.b64encode(self.data).decode()

    @property
    def data_url(self) -> str:
        """The bytes as a `data:` URL."""
        return f'data:{self.media_type};base64,{self.base64}'


MultiModalContent: TypeAlias = ImageUrl | AudioUrl | DocumentUrl | VideoUrl | BinaryContent
UserContent: TypeAlias = str | MultiModalContent


# --- requests ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, repr=False)
class SystemPromptPart(_Value):
    """Instructions to the model, from the developer."""

    content: str
    timestamp: datetime = field(default_factory=now_utc, kw_only=True, repr=False)
    dynamic_ref: str | None = field(default=None, kw_only=True)
    part_kind: Literal['system-prompt'] = field(default='system-prompt', kw_only=True)


@dataclass(frozen=True, slots=True, repr=False)
class UserPromptPart(_Value):
    """What the user says: text, or a sequence of text and files."""

    content: str | Sequence[UserContent]
    timestamp: datetime = field(default_factory=now_utc, kw_only=True, repr=False)
    part_kind: Literal['user-prompt'] = field(default='user-prompt', kw_only=True)


@dataclass(frozen=True, slots=True, repr=False)
class ToolReturnPart(_Value):
    """What a tool returned, for the model to read."""

    tool_name: str
    content: Any
    tool_call_id: str
    timestamp: datetime = field(default_factory=now_utc, kw_only=True, repr=False)
    part_kind: Literal['tool-return'] = field(default='tool-return', kw_only=True)

    def model_response_str(self) -> str:
        """The content as text: a string as it is, anything else as JSON."""
        return self.content if isinstance(self.content, str) else to_json_str(self.content)


@dataclass(frozen=True, slots=True, repr=False)
class RetryPromptPart(_Value):
    """Why the model's last answer was not accepted, and the request to mend it.

    Args:
        content: A sentence, or the list of errors that pydantic found.
        tool_name: The tool whose call failed, or None where the answer itself failed.
        tool_call_id: The failed call, or None.
    """

    content: str | list[dict[str, Any]]
    tool_name: str | None = field(default=None, kw_only=True)
    tool_call_id: str | None = field(default=None, kw_only=True)
    timestamp: datetime = field(default_factory=now_utc, kw_only=True, repr=False)
    part_kind: Literal['retry-prompt'] = field(default='retry-prompt', kw_only=True)

    def model_response(self) -> str:
        """The words to send to the model."""
        if isinstance(self.content, str):
            problem = self.content
        else:
            count = len(self.content)
            problem = f'{count} validation error{"s" if count > 1 else ""}: {to_json_str(self.content, indent=2)}'
        return f'{problem}\n\nFix the errors and try again.'


ModelRequestPart: TypeAlias = SystemPromptPart | UserPromptPart | ToolReturnPart | RetryPromptPart


@dataclass(frozen=True, slots=True, repr=False)
class ModelRequest(_Value):
    """What is sent to the model: prompts, tool returns and retry prompts, in order."""

    parts: Sequence[ModelRequestPart]
    instructions: str | None = field(default=None, kw_only=True)
    kind: Literal['request'] = field(default='request', kw_only=True)

    @classmethod
    def user_text_prompt(cls, user_prompt: str, *, instructions: str | None = None) -> ModelRequest:
        """A request that holds one user prompt of text."""
        return cls(parts=[UserPromptPart(user_prompt)], instructions=instructions)


# --- responses --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, repr=False)
class TextPart(_Value):
    """Text that the model wrote."""

    content: str
    id: str | None = field(default=None, kw_only=True)
    part_kind: Literal['text'] = field(default='text', kw_only=True)

    def has_content(self) -> bool:
        """Whether there is any text."""
        return bool(self.content)


@dataclass(frozen=True, slots=True, repr=False)
class ThinkingPart(_Value):
    """What the model thought before it answered.

    Args:
        content: The thoughts, or a summary of them; empty where the provider hides them.
        id: The provider's name for them, or None.
        signature: Opaque proof that a provider wants back unchanged with the next request, or None.
        provider_name: The provider that made the signature; no other can use it.
    """

    content: str
    id: str | None = field(default=None, kw_only=True)
    signature: str | None = field(default=None, kw_only=True)
    provider_name: str | None = field(default=None, kw_only=True)
    part_kind: Literal['thinking'] = field(default='thinking', kw_only=True)

    def has_content(self) -> bool:
        """Whether there are any thoughts to read."""
        return bool(self.content)


@dataclass(frozen=True, slots=True, repr=False)
class ToolCallPart(_Value):
    """The model's wish to call a tool.

    Args:
        tool_name: The tool.
        args: The arguments, as the JSON text that the provider sent or as a dict.
        tool_call_id: The provider's name for this call, which the tool's return must carry.
    """

    tool_name: str
    args: str | dict[str, Any] | None = None
    tool_call_id: str = ''
    part_kind: Literal['tool-call'] = field(default='tool-call', kw_only=True)

    def args_as_dict(self) -> dict[str, Any]:
        """The arguments as a dict.

        Raises:
            UnexpectedModelBehavior: They are not the JSON text of an object.
        """
        if not self.args:
            return {}
        if isinstance(self.args, dict):
            return self.args
        try:
            args = json.loads(self.args)
        except ValueError as error:
            raise UnexpectedModelBehavior(f'Arguments of tool {self.tool_name!r} are not JSON: {error}', self.args[:500]) from None
        if not isinstance(args, dict):
            raise UnexpectedModelBehavior(f'Arguments of tool {self.tool_name!r} are not a JSON object', self.args[:500])
        return args

    def args_as_json_str(self) -> str:
        """The arguments as JSON text."""
        if isinstance(self.args, str):
            return self.args or '{}'
        return to_json_str(self.args or {})

    def has_content(self) -> bool:
        """Whether there are any arguments."""
        return bool(self.args)


ModelResponsePart: TypeAlias = TextPart | ThinkingPart | ToolCallPart


@dataclass(frozen=True, slots=True, repr=False)
class ModelResponse(_Value):
    """What the model answered.

    Attributes:
        parts: Text, thinking and tool calls, in the order in which they came.
        usage: What this one request used.
        model_name: The model that answered, as the provider names it.
        timestamp: When it answered, by the provider's clock where it tells.
        provider_name: The provider that answered.
        provider_response_id: The provider's name for this response.
        finish_reason: Why the model stopped, in common words; None while it is still talking.
        provider_finish_reason: The same in the provider's own word.
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
    incomplete: bool = field(default=False, kw_only=True)
    kind: Literal['response'] = field(default='response', kw_only=True)

    @property
    def text(self) -> str:
        """All text of the answer, joined."""
        return ''.join(part.content for part in self.parts if isinstance(part, TextPart))

    @property
    def thinking(self) -> str:
        """All thoughts of the answer, joined."""
        return ''.join(part.content for part in self.parts if isinstance(part, ThinkingPart))

    @property
    def tool_calls(self) -> list[ToolCallPart]:
        """The tool calls of the answer."""
        return [part for part in self.parts if isinstance(part, ToolCallPart)]


ModelMessage: TypeAlias = ModelRequest | ModelResponse


# --- the events of a stream -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, repr=False)
class TextPartDelta(_Value):
    """More text for a `TextPart`."""

    content_delta: str
    part_delta_kind: ClassVar[Literal['text']] = 'text'

    def apply(self, part: ModelResponsePart) -> TextPart:
        """`part` with the text added."""
        if not isinstance(part, TextPart):
            raise UserError(f'A TextPartDelta applies to a TextPart, not to {part!r}')
        return replace(part, content=part.content + self.content_delta)


@dataclass(frozen=True, slots=True, repr=False)
class ThinkingPartDelta(_Value):
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


@dataclass(frozen=True, slots=True, repr=False)
class ToolCallPartDelta(_Value):
    """More of a `ToolCallPart`: a piece of its name, of the JSON text of its arguments, or its id."""

    tool_name_delta: str | None = None
    args_delta: str | None = None
    tool_call_id: str | None = None
    part_delta_kind: ClassVar[Literal['tool_call']] = 'tool_call'

    def apply(self, part: ModelResponsePart) -> ToolCallPart:
        """`part` with the pieces added."""
        if not isinstance(part, ToolCallPart) or isinstance(part.args, dict):
            raise UserError(f'A ToolCallPartDelta applies to a ToolCallPart with arguments as text, not to {part!r}')
        return replace(
            part,
            tool_name=part.tool_name + (self.tool_name_delta or ''),
            args=(part.args or '') + self.args_delta if self.args_delta else part.args,
            tool_call_id=self.tool_call_id or part.tool_call_id,
        )


ModelResponsePartDelta: TypeAlias = TextPartDelta | ThinkingPartDelta | ToolCallPartDelta


@dataclass(frozen=True, slots=True, repr=False)
class PartStartEvent(_Value):
    """A new part begins at `index`, holding what came with it."""

    index: int
    part: ModelResponsePart
    event_kind: ClassVar[Literal['part_start']] = 'part_start'


@dataclass(frozen=True, slots=True, repr=False)
class PartDeltaEvent(_Value):
    """More of the part at `index`."""

    index: int
    delta: ModelResponsePartDelta
    event_kind: ClassVar[Literal['part_delta']] = 'part_delta'


ModelResponseStreamEvent: TypeAlias = PartStartEvent | PartDeltaEvent


# --- JSON -------------------------------------------------------------------------------------------------------------


def to_json_str(value: Any, indent: int | None = None) -> str:
    """Any value that pydantic can write, as JSON text."""
    from pydantic_core import to_json

    return to_json(value, indent=indent).decode()


def _messages_adapter() -> TypeAdapter[list[ModelMessage]]:
    from pydantic import ConfigDict, TypeAdapter

    config = ConfigDict(ser_json_bytes='base64', val_json_bytes='base64', defer_build=False)
    return TypeAdapter(list[ModelMessage], config=config)


def __getattr__(name: str) -> Any:
    # Built at first use: pydantic is slow to import, and a plain request does without it.
    if name == 'ModelMessagesTypeAdapter':
        adapter = globals()[name] = _messages_adapter()
        return adapter
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
