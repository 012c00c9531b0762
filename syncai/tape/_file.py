"""A tape as a file: its format, read and written whole."""

from __future__ import annotations

import contextlib
import json
import mimetypes
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..content import BinaryContent
from ..exceptions import TapeError
from ._exchange import Exchange
from ._layout import json_lines
from ._rewriting import Rewrite

FORMAT = 'syncai tape'
VERSION = 1
"""Incremented when earlier releases cannot read the file any more, or when the form of requests changes."""


def read_tape(path: Path) -> list[Exchange]:
    """The content of the tape; empty if there is no file.

    Raises:
        TapeError: It cannot be read, is no tape, or was written by a newer release.
    """
    try:
        text = path.read_text(encoding='utf-8')
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise TapeError(f'The tape {path} cannot be read: {error}') from error
    try:
        form = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TapeError(f'{path} is no tape: {_no_json(text, error)}; nothing was overwritten') from None
    return list(_exchanges(path, form))


def write_tape(path: Path, exchanges: Sequence[Exchange], redact: Rewrite | None) -> None:
    """Replace the file by these exchanges, atomically; files in their requests are written beside it first.

    Raises:
        OSError: It cannot be written; the old file is unchanged.
    """
    form = {'format': FORMAT, 'version': VERSION, 'exchanges': [exchange.to_json(redact) for exchange in exchanges]}
    text = f'{json_lines(form)}\n'
    path.parent.mkdir(parents=True, exist_ok=True)
    for exchange in exchanges:
        write_files(path.with_suffix('.files'), exchange.files, redact)
    replace_file(path, text.encode())


def write_files(directory: Path, files: Mapping[str, BinaryContent], redact: Rewrite | None) -> None:
    """Write each file under its hash into the directory, unless it exists or is a text that would be redacted."""
    for digest, file in files.items():
        if redact is not None and _is_redacted(file.data, redact):
            continue
        path = directory / f'{digest}{mimetypes.guess_extension(file.media_type) or ".bin"}'
        if not path.exists():
            directory.mkdir(parents=True, exist_ok=True)
            replace_file(path, file.data)


def replace_file(path: Path, data: bytes) -> None:
    """Write `data` to the file at `path`, atomically."""
    target = path.resolve()  # if the path is a link, the file behind it
    beside = target.with_name(f'.{target.name}.{secrets.token_hex(4)}')
    try:
        with beside.open('xb') as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise


@contextmanager
def alone(directory: Path) -> Iterator[None]:
    """A block that excludes other processes for this directory, if the system has such locks."""
    try:
        import fcntl
    except ImportError:  # Windows: the last of two processes that write at the same moment wins
        yield
        return
    directory.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _is_redacted(data: bytes, redact: Rewrite) -> bool:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return False
    return redact(text) != text


def _no_json(text: str, error: Exception) -> str:
    if text.startswith('interactions:') or '\ninteractions:' in text:
        return 'it is a cassette of vcrpy, which ModelServer.from_vcr(path) plays'
    return f'it is not JSON ({error})' if text.strip() else 'it is empty'


def _exchanges(path: Path, form: Any) -> Iterable[Exchange]:
    if isinstance(form, dict) and 'interactions' in form:
        raise TapeError(f'{path} is a cassette of vcrpy, which ModelServer.from_vcr(path) plays, and no tape')
    if not isinstance(form, dict) or form.get('format') != FORMAT or not isinstance(form.get('exchanges'), list):
        raise TapeError(f'{path} is no tape: it lacks "format": "{FORMAT}"; nothing was overwritten')
    version = form.get('version')
    if not isinstance(version, int) or version > VERSION:
        raise TapeError(
            f'The tape {path} has version {version!r}, and this release reads {VERSION}: update syncai, or record it '
            "again with mode='refresh' under another name"
        )
    for number, item in enumerate(form['exchanges'], start=1):
        try:
            yield Exchange.of_json(item)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise TapeError(
                f'Exchange {number} of the tape {path} cannot be read ({type(error).__name__}: {str(error)[:300]}): '
                'take it out of the file, and record it again'
            ) from None
