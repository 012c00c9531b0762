"""Files: the media type that their bytes show, and reading them from a path."""

from __future__ import annotations

import mimetypes
import stat
from collections.abc import Mapping
from pathlib import Path

from ..exceptions import UserError
from .system import warn_in_log

MOST_BYTES = 32 * 1024 * 1024
"""The largest file that is read from a path unless the caller says otherwise; no provider takes a larger one inline."""

# The bytes that a file of some type begins with, as Apache Tika and the WHATWG's MIME Sniffing Standard name them.
_SIGNATURES: Mapping[bytes, str] = {
    b'\x89PNG\r\n\x1a\n': 'image/png',
    b'\xff\xd8\xff': 'image/jpeg',
    b'GIF87a': 'image/gif',
    b'GIF89a': 'image/gif',
    b'II*\x00': 'image/tiff',
    b'MM\x00*': 'image/tiff',
    b'%PDF-': 'application/pdf',
    b'PK\x03\x04': 'application/zip',
    b'\x1f\x8b\x08': 'application/gzip',
    b'\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1': 'application/x-ole-storage',
    b'\x1aE\xdf\xa3': 'video/webm',
    b'OggS\x00': 'audio/ogg',
    b'fLaC\x00': 'audio/flac',
    b'ID3\x02': 'audio/mpeg',
    b'ID3\x03': 'audio/mpeg',
    b'ID3\x04': 'audio/mpeg',
}
_RIFF: Mapping[bytes, str] = {b'WEBP': 'image/webp', b'WAVE': 'audio/wav', b'AVI ': 'video/x-msvideo'}
_FTYP: Mapping[bytes, str] = {
    b'M4A ': 'audio/mp4',
    b'qt  ': 'video/quicktime',
    b'avif': 'image/avif',
    **dict.fromkeys((b'heic', b'heix', b'mif1', b'msf1'), 'image/heic'),
}

_OF_MP4 = (
    'audio/mp4', 'audio/m4a', 'audio/x-m4a', 'audio/aac', 'audio/x-aac', 'audio/3gpp', 'video/mp4', 'video/m4v',
    'video/x-m4v', 'video/quicktime', 'video/mov', 'video/3gpp', 'application/mp4',
)  # fmt: skip

# Other types that begin with the same signature, by the beginning of their names.
_FAMILIES: Mapping[str, tuple[str, ...]] = {
    'image/jpeg': ('image/jpg', 'image/pjpeg'),
    'image/png': ('image/apng', 'image/x-png'),
    'image/tiff': ('image/',),  # raw pictures of cameras are TIFF
    'image/heic': ('image/heif', 'image/avif', 'image/heic-sequence', 'image/heif-sequence'),
    'image/avif': ('image/heif', 'image/avif-sequence'),
    'audio/wav': ('audio/wave', 'audio/x-wav', 'audio/vnd.wave', 'audio/x-pn-wav'),
    'audio/mpeg': ('audio/mp', 'audio/x-mp', 'audio/aac', 'audio/x-aac', 'audio/flac', 'audio/x-flac'),  # ID3 is a tag
    'audio/flac': ('audio/x-flac',),
    'audio/ogg': ('audio/opus', 'audio/vorbis', 'audio/x-', 'audio/speex', 'video/ogg', 'application/ogg'),
    'audio/mp4': _OF_MP4,
    'video/mp4': (*_OF_MP4, 'image/'),
    'video/quicktime': _OF_MP4,
    'video/webm': ('audio/webm', 'video/x-matroska', 'video/matroska', 'audio/x-matroska', 'application/x-matroska'),
    'video/x-msvideo': ('video/avi', 'video/msvideo', 'video/vnd.avi', 'video/x-avi'),
    'application/pdf': ('application/x-pdf', 'application/postscript', 'application/illustrator'),
    # Office documents, e-books and archives are zip files.
    'application/zip': ('application/', 'font/', 'model/'),
    'application/gzip': ('application/', 'image/svg', 'model/', 'text/x-'),
    'application/x-ole-storage': ('application/', 'image/vnd.'),
}
_SAYS_NOTHING = ('application/octet-stream', 'binary/octet-stream')


def signature_of(data: bytes) -> str | None:
    """The media type that the first bytes of a file show, or None."""
    for beginning, media_type in _SIGNATURES.items():
        if data.startswith(beginning):
            return media_type
    if data[:4] == b'RIFF':
        return _RIFF.get(data[8:12])
    return _FTYP.get(data[8:12], 'video/mp4') if data[4:8] == b'ftyp' else None


def true_media_type(data: bytes, media_type: str) -> str:
    """The media type of a file, corrected with a warning where its first bytes say something else."""
    signature = signature_of(data)
    if signature is None:
        return media_type
    kind = media_type.partition(';')[0].strip().lower()
    if kind == signature or (kind not in _SAYS_NOTHING and kind.startswith(_FAMILIES.get(signature, ()))):
        return media_type
    warn_in_log('A file with the media type %s begins like %s, and is sent as that type', media_type, signature)
    return signature


def read_file(path: Path, max_bytes: int = MOST_BYTES) -> bytes:
    """The bytes of a file.

    Raises:
        UserError: There is no such file, it is a directory or a device, it is empty, too large, or may not be read.
    """
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise UserError(f'{str(path)!r} is a directory: name a file in it')
        if not stat.S_ISREG(status.st_mode):
            raise UserError(f'{str(path)!r} is not a regular file: read it yourself, and give BinaryContent(data, ...)')
        with path.open('rb') as file:
            data = file.read(max_bytes + 1)
    except FileNotFoundError:
        raise UserError(f'There is no file {str(path)!r}{_where(path)}') from None
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        raise UserError(f'The file {str(path)!r} cannot be read: {error}') from None
    if len(data) > max_bytes:
        raise UserError(
            f'The file {str(path)!r} has {status.st_size:,} bytes, more than {max_bytes:,}: send a smaller one, give '
            'its address, or read it with BinaryContent.from_path(path, max_bytes=...)'
        )
    if not data:
        raise UserError(f'The file {str(path)!r} is empty')
    return data


def _where(path: Path) -> str:
    if path.parts[:1] == ('~',):
        return ': write Path(...).expanduser() for a path that begins with ~'
    return '' if path.is_absolute() else f' in {str(Path.cwd())!r}'


def media_type_of(path: Path, data: bytes) -> str:
    """The media type of a file by the end of its name, else by its first bytes.

    Raises:
        UserError: Neither shows it.
    """
    guess = mimetypes.guess_type(path.name)[0] or signature_of(data)
    if guess is None:
        raise UserError(
            f'The media type of {str(path)!r} is unknown: give BinaryContent.from_path(path, media_type=...)'
        )
    return guess
