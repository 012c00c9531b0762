"""The content of user prompts besides text: files, by address or as bytes."""

from __future__ import annotations

import base64
import mimetypes
import operator
import re
from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, cast

from ._base.call_hints import explain_arguments
from ._base.files import MOST_BYTES, media_type_of, read_file, true_media_type
from ._base.frozen import dataclass
from ._base.json_values import Base64, JsonFile, sendable_text
from ._base.other_arguments import OF_FILES
from .exceptions import UserError

__all__ = [
    'AudioUrl',
    'BinaryContent',
    'DocumentUrl',
    'ImageUrl',
    'MultiModalContent',
    'UrlContent',
    'UserContent',
    'VideoUrl',
]


FROM_OPENAI = (
    "{} holds messages in the format of OpenAI's API: messages_from_openai([...]) makes messages of them, for "
    'message_history=..., or for model_request_sync(...)'
)


class _Url(JsonFile):
    """A file by its address; no dataclass itself, since those that extend one are made slowly."""

    __slots__ = ()

    url: str
    media_type_: str | None

    @property
    def media_type(self) -> str:
        """The MIME type given as `media_type_`, else guessed from the URL's ending.

        Raises:
            UserError: Neither gives the type.
        """
        guess = self.media_type_ or mimetypes.guess_type(self.url.partition('?')[0])[0]
        if guess is None:
            raise UserError(
                f'The media type of {self.url!r} is unknown: pass it as {type(self).__name__}(url, media_type_=...)'
            )
        return guess


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class ImageUrl(_Url):
    """An image by its address; `detail` is the resolution that OpenAI should look at."""

    url: str
    media_type_: str | None = field(default=None, kw_only=True)
    detail: Literal['auto', 'low', 'high', 'original'] | None = field(default=None, kw_only=True)
    kind: Literal['image-url'] = field(default='image-url', kw_only=True)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class AudioUrl(_Url):
    """A sound recording by its address."""

    url: str
    media_type_: str | None = field(default=None, kw_only=True)
    kind: Literal['audio-url'] = field(default='audio-url', kw_only=True)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class DocumentUrl(_Url):
    """A document by its address."""

    url: str
    media_type_: str | None = field(default=None, kw_only=True)
    kind: Literal['document-url'] = field(default='document-url', kw_only=True)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class VideoUrl(_Url):
    """A video by its address."""

    url: str
    media_type_: str | None = field(default=None, kw_only=True)
    kind: Literal['video-url'] = field(default='video-url', kw_only=True)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class BinaryContent(JsonFile):
    """A file's bytes with their MIME type; in JSON the bytes are base64.

    Args:
        data: The bytes.
        media_type: Such as `image/png`, `audio/wav`, `application/pdf`. If the first bytes show another type, it is
            corrected and a warning is logged: providers refuse a PNG with the type of a JPEG.
        filename: The name to show the model, or None.
        detail: For an image: the resolution that OpenAI should look at.

    Raises:
        UserError: `data` is not bytes, or `media_type` is not a MIME type.
    """

    data: Annotated[bytes, Base64]
    media_type: str
    filename: str | None = field(default=None, kw_only=True)
    detail: Literal['auto', 'low', 'high', 'original'] | None = field(default=None, kw_only=True)
    kind: Literal['binary'] = field(default='binary', kw_only=True)

    def __post_init__(self) -> None:
        data, media_type = cast('Any', self.data), cast('Any', self.media_type)
        if isinstance(data, bytearray | memoryview):
            data = bytes(data)  # mutable bytes have no hash
            object.__setattr__(self, 'data', data)
        if not isinstance(data, bytes):
            raise UserError(_not_bytes(data))
        if not isinstance(media_type, str) or '/' not in media_type:
            raise UserError(f"media_type must be a MIME type such as 'image/png', not {media_type!r:.100}")
        if (true_type := true_media_type(data, media_type)) != media_type:
            object.__setattr__(self, 'media_type', true_type)

    @classmethod
    def from_path(
        cls,
        path: Path | str,
        *,
        media_type: str | None = None,
        detail: Literal['auto', 'low', 'high', 'original'] | None = None,
        max_bytes: int = MOST_BYTES,
    ) -> BinaryContent:
        """The file at `path`, read in this thread, with its name; a `Path` in a prompt does the same.

        Args:
            path: The path of the file.
            media_type: Its MIME type; None takes it from the end of its name, else from its first bytes.
            detail: For an image: the resolution that OpenAI should look at.
            max_bytes: The largest file that is read; by default 32 MB.

        Raises:
            UserError: There is no such file, it is a directory, empty, of an unknown type, larger than `max_bytes`, or
                may not be read.
        """
        if not isinstance(path, Path | str):
            raise UserError(f'path must be a pathlib.Path or a str, not {type(path).__name__}')
        path = Path(path)
        data = read_file(path, max_bytes)
        return cls(data, media_type or media_type_of(path, data), filename=path.name, detail=detail)

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


UrlContent: TypeAlias = ImageUrl | AudioUrl | DocumentUrl | VideoUrl
"""A file by its address."""
MultiModalContent: TypeAlias = UrlContent | BinaryContent
"""A file, by its address or as bytes."""
UserContent: TypeAlias = str | MultiModalContent
"""A piece of a user prompt: text or a file."""

# A scheme has at least two letters: one letter is a drive of Windows.
_ADDRESS = r'(?i)(?!file:)[a-z][a-z0-9+.-]+:'


PromptContent: TypeAlias = UserContent | Path
"""A piece of a prompt. A `Path` is read before anything is sent, and becomes `BinaryContent`."""


def of_openai(messages: object) -> bool:
    """Whether one of these is a message in the format of OpenAI's API."""
    items = messages if isinstance(messages, list | tuple) else [messages]
    return any(isinstance(item, Mapping) and 'role' in item for item in items)


def user_content(content: object, place: str) -> str | Sequence[UserContent]:
    """The content of a user prompt, ready to be sent: local files are read, in this thread, and text is encodable.

    Args:
        content: Text, a file, or a sequence of text and files, of which some may be a `Path`.
        place: The name of its place, for errors and warnings.

    Raises:
        UserError: The content has another type, a file cannot be read, or the address is that of a local file.
    """
    if isinstance(content, str):
        return sendable_text(content, place)
    if isinstance(content, MultiModalContent | Path):
        content = [content]
    if isinstance(content, Mapping) and of_openai(content):
        raise UserError(FROM_OPENAI.format(place))
    if not isinstance(content, Sequence) or isinstance(content, bytes | bytearray):
        raise UserError(f'{place} must be a str, or a list of str and files, not {type(content).__name__}')
    items = [_ready(item, place) for item in content]
    return content if all(map(operator.is_, items, content)) else items


def _ready(item: object, place: str) -> UserContent:
    if isinstance(item, str):
        return sendable_text(item, place)
    if isinstance(item, Path):
        return BinaryContent.from_path(item)
    if not isinstance(item, MultiModalContent):
        if of_openai([item]):
            raise UserError(FROM_OPENAI.format(place))
        raise UserError(
            f'{place} holds a value of {type(item).__name__}: it may hold str, ImageUrl, AudioUrl, VideoUrl, '
            'DocumentUrl, BinaryContent and pathlib.Path'
        )
    if isinstance(item, UrlContent) and not (
        isinstance(item.url, str) and re.match(_ADDRESS, item.url) and item.url.isprintable()
    ):
        raise UserError(
            f'{type(item).__name__} takes an address such as https://host/file, not {item.url!r:.100}; a file of '
            'this machine is BinaryContent.from_path(path), or a pathlib.Path in the prompt'
        )
    return item


def _not_bytes(data: object) -> str:
    if isinstance(data, Path):
        return f'data is the path {str(data)!r}: read it with BinaryContent.from_path(path)'
    if isinstance(data, str):
        return (
            'data must be bytes, not str: text is part of the prompt itself, base64 is base64.b64decode(text), and a '
            'file is BinaryContent.from_path(path)'
        )
    if hasattr(data, 'read'):
        return f'data must be bytes, not {type(data).__name__}: give what its read() returns, opened as binary'
    return f'data must be bytes, not {type(data).__name__}'


for _kind in (AudioUrl, BinaryContent, DocumentUrl, ImageUrl, VideoUrl):
    explain_arguments(_kind, OF_FILES)
