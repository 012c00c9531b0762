"""What a user prompt may contain beside text: files, by address or as bytes."""

from __future__ import annotations

import base64
import mimetypes
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from ._values import Value
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


@dataclass(frozen=True, slots=True, repr=False)
class _Url(Value):
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
            raise UserError(
                f'Cannot tell the media type of {self.url!r}: pass it as {type(self).__name__}(url, media_type_=...)'
            )
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
class BinaryContent(Value):
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


UrlContent: TypeAlias = ImageUrl | AudioUrl | DocumentUrl | VideoUrl
MultiModalContent: TypeAlias = UrlContent | BinaryContent
UserContent: TypeAlias = str | MultiModalContent

# A scheme has two letters at least: one is the drive of a path on Windows.
_ADDRESS = re.compile(r'(?!file:)[a-z][a-z0-9+.-]+:', re.IGNORECASE)


def check_user_content(content: object, place: str) -> None:
    """Nothing, when it is text, or a sequence of text and files.

    Args:
        content: What is to be checked.
        place: What holds it, as an error is to call it.

    Raises:
        UserError: It is something else, or a file of this machine is given as an address.
    """
    items = [content] if isinstance(content, str) else content
    if not isinstance(items, Sequence) or isinstance(items, bytes | bytearray):
        raise UserError(f'{place} must be a str, or a list of str and files, not {type(content).__name__}')
    for item in items:
        if not isinstance(item, UserContent):
            raise UserError(
                f'{place} holds a value of {type(item).__name__}: it may hold str, ImageUrl, AudioUrl, VideoUrl, '
                'DocumentUrl and BinaryContent'
            )
        if isinstance(item, UrlContent) and not (isinstance(item.url, str) and _ADDRESS.match(item.url)):
            raise UserError(
                f'{type(item).__name__} takes an address such as https://host/file, not {item.url!r:.100}; a file of '
                'this machine is BinaryContent(path.read_bytes(), media_type=...)'
            )
