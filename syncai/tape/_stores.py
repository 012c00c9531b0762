"""Storage of exchanges: a file with a sequence of answers for equal requests, or a directory as a cache."""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from .._canonical import CanonicalRequest
from ..exceptions import TapeError
from ._exchange import Exchange
from ._file import alone, read_tape, write_files, write_tape
from ._nearest import difference
from ._rewriting import Rewrite

RUN_VARIABLE = 'SYNCAI_TAPE_RUN'
"""The variable with the start time of a run of several processes, as with pytest-xdist; the pytest plugin sets it."""

_BEGUN = datetime.now(tz=UTC)


def run_begun() -> datetime:
    """The start time of this run: older exchanges were recorded by an earlier run."""
    try:
        return datetime.fromisoformat(os.environ[RUN_VARIABLE])
    except (KeyError, ValueError):
        return _BEGUN


class Store(ABC):
    """Exchanges on disk.

    Args:
        path: The file or the directory.
        redact: What texts are kept as.
    """

    def __init__(self, path: Path, redact: Rewrite | None) -> None:
        self.path = path
        self._redact = redact

    @abstractmethod
    def open(self) -> None:
        """Read the needed data before the first request."""

    @abstractmethod
    def take(self, request: CanonicalRequest) -> Exchange | None:
        """The exchange to replay for a request, or None."""

    @abstractmethod
    def add(self, exchange: Exchange) -> bool:
        """Keep an exchange; whether `save` must be called for it."""

    @abstractmethod
    def save(self, *, refresh: bool, failed: bool) -> None:
        """Write what was added.

        Args:
            refresh: Whether it replaces the recordings of earlier runs.
            failed: Whether the block of the tape ended with an error. Then errors and abandoned answers are not stored,
                so that the next run asks again.
        """

    @abstractmethod
    def why_not(self, request: CanonicalRequest) -> tuple[str, str]:
        """The reason why a request has no exchange, and its difference from the nearest one."""


class FileStore(Store):
    """All exchanges in one file."""

    def __init__(self, path: Path, redact: Rewrite | None) -> None:
        super().__init__(path, redact)
        self._lock = threading.Lock()  # owns the fields below; held only for operations on lists and dicts
        self._recorded: dict[str, list[Exchange]] = defaultdict(list)
        self._uses: dict[str, int] = defaultdict(int)
        self._added: list[Exchange] = []
        self._is_written = False  # whether this block has written the file; owned by the next lock
        self._saving = threading.Lock()  # held while the file is read and written

    def open(self) -> None:
        """Read the file."""
        with self._saving:
            exchanges = read_tape(self.path)
            self._is_written = False
        with self._lock:
            self._added.clear()
            self._recorded.clear()
            self._uses.clear()
            for exchange in exchanges:
                self._recorded[exchange.request.key].append(exchange)

    def take(self, request: CanonicalRequest) -> Exchange | None:
        """The next exchange of this request from before the block."""
        with self._lock:
            number = self._uses[request.key]
            self._uses[request.key] += 1
            exchanges = self._recorded.get(request.key, ())
            return exchanges[number] if number < len(exchanges) else None

    def add(self, exchange: Exchange) -> bool:
        """Keep an exchange until it is saved."""
        with self._lock:
            self._added.append(exchange)
        return True

    def save(self, *, refresh: bool, failed: bool) -> None:
        """Append the additions to the file, which another process may have changed meanwhile."""
        with self._saving:
            with self._lock:
                added = sorted(self._added, key=lambda exchange: exchange.number)
            certain = [exchange for exchange in added if exchange.is_certain] if failed else added
            if not certain and not self._is_written:
                return
            try:
                with alone(self.path.parent):
                    others = _others(read_tape(self.path), added, certain, refresh=refresh, failed=failed)
                    write_tape(self.path, [*others, *certain], self._redact)
                self._is_written = True
            except OSError as error:
                raise TapeError(
                    f'The tape {self.path} cannot be written: {error}. The file is as it was; {len(certain)} '
                    'new answers are not on it'
                ) from error

    def why_not(self, request: CanonicalRequest) -> tuple[str, str]:
        """The number of recordings of the request, or the difference from the nearest one."""
        with self._lock:
            same = len(self._recorded.get(request.key, ()))
            forms = [exchange.request.form for several in self._recorded.values() for exchange in several]
        if same:
            return f'was recorded {_times(same)}, and is made once more', ''
        if not forms:
            return (
                'is not on it: there is no such file' if not self.path.exists() else 'is not on it: it is empty'
            ), ''
        return f'is none of the {len(forms)} on it', difference(request.form, forms)


class CacheStore(Store):
    """A file for each exchange, in a directory; the same request has the same answer each time.

    Args:
        path: The directory.
        redact: What texts are kept as.
        ttl: How long an answer counts, or None forever.
    """

    def __init__(self, path: Path, redact: Rewrite | None, ttl: timedelta | None) -> None:
        super().__init__(path, redact)
        self._ttl = ttl
        self._failure: TapeError | None = None  # the first one; set by the threads that write

    def open(self) -> None:
        """Make the directory."""
        self._failure = None
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TapeError(f'The directory {self.path} of the tape cannot be made: {error}') from error

    def take(self, request: CanonicalRequest) -> Exchange | None:
        """The exchange of the request, unless it is too old."""
        exchange = next(iter(read_tape(self._file_of(request))), None)
        if exchange is None or exchange.request.key != request.key:
            return None
        if self._ttl is not None and datetime.now(tz=UTC) - exchange.recorded > self._ttl:
            return None
        return exchange

    def add(self, exchange: Exchange) -> bool:
        """Write a complete answer at once; errors and abandoned answers are not stored."""
        if exchange.is_certain:
            path = self._file_of(exchange.request)
            try:
                write_files(self.path / 'files', exchange.files, self._redact)
                write_tape(path, [_without_files(exchange)], self._redact)
            except OSError as error:
                failure = TapeError(f'The cache {self.path} cannot be written: {error}. It keeps what it held')
                failure.__cause__ = error
                self._failure = self._failure or failure
        return False

    def save(self, *, refresh: bool, failed: bool) -> None:  # noqa: ARG002 - the interface's
        """Raise the first error of a write: everything was written when it was added."""
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def why_not(self, request: CanonicalRequest) -> tuple[str, str]:
        """Whether it is there, and too old."""
        if self._file_of(request).exists():
            return 'was answered longer ago than its ttl', ''
        return 'is not in this directory', ''

    def _file_of(self, request: CanonicalRequest) -> Path:
        return self.path / request.key[:2] / f'{request.key}.json'


def _others(
    exchanges: list[Exchange], added: list[Exchange], certain: list[Exchange], *, refresh: bool, failed: bool
) -> list[Exchange]:
    """The part of a file that stays when new exchanges are added."""
    own = {exchange.identity for exchange in added}
    others = [exchange for exchange in exchanges if exchange.identity not in own]
    keys = {exchange.request.key for exchange in certain}
    if refresh:
        # Another process of this run may already have recorded its part; a failed block has not made all its requests.
        others = [exchange for exchange in others if exchange.request.key not in keys]
        return [exchange for exchange in others if failed or exchange.recorded >= run_begun()]
    # An abandoned answer would hide a complete one.
    whole = {exchange.request.key for exchange in certain if exchange.is_certain}
    return [exchange for exchange in others if exchange.complete or exchange.request.key not in whole]


def _without_files(exchange: Exchange) -> Exchange:
    return replace(exchange, files={})


def _times(count: int) -> str:
    return 'once' if count == 1 else f'{count} times'
