"""The tape: a block whose requests to models are recorded, replayed, or both."""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self

from .._bridge.caller import call_in_thread
from .._canonical import canonical_request
from ..content import BinaryContent
from ..exceptions import TapeError, TapeMismatch
from ..messages import ModelMessage
from ..models import Model
from ..models._route.stand_in import begin_recording, end_recording
from ..parameters import ModelRequestParameters
from ..settings import ModelSettings
from ._arguments import TapeMode, checked_mode, checked_path, checked_speed, checked_ttl
from ._exchange import Exchange, Question
from ._model import taped
from ._rewriting import Rewriting, in_turn, rewriting
from ._stores import CacheStore, FileStore, Store

_SAVE_AFTER = 2.0  # the least seconds between two writes of a file while its block is open
_SHARE_OF_SAVING = 10  # and at least this multiple of the last write's time
_numbers = itertools.count(1)


class Tape:
    """A block whose requests to models are answered from a file, or recorded in it.

    It covers every call while the block is open: of agents and without one, whole and streamed, in all
    threads, in coroutines, of maps and of submitted work, and in processes that are forked in it. A context that
    entered its own tape uses that one; among nested tapes, the innermost wins.

    ```python
    with Tape('tests/tapes/refund.json', mode='once'):
        agent.run_sync('I want my money back')
    ```

    Args:
        path: A file, such as `refund.json`; or a directory, existing or written with a slash at its end, which is a
            cache: there each request has one answer, however often it is made.
        mode: `once` replays recorded requests, and sends and records the rest; `replay` sends none; `refresh` sends and
            records all again; `off` disables the tape. None is `once`, or under pytest what `--tape` says.
        ttl: The time to live of an answer in a cache: `'7d'`, `'12h'`, a `timedelta` or seconds; None is forever.
        ignore: Regular expressions and functions of a text. What they remove, such as a date, does not count when
            requests are compared. Matches are kept as `[ignored]`.
        redact: The same for data that must not be written, in requests, answers, events and errors. Matches are stored,
            and replayed, as `[redacted]`.
        speed: The factor of the recorded speed for replayed streams; None does not wait.

    Attributes:
        played: The number of requests answered from the tape.
        recorded: The number of recorded answers.

    Raises:
        UserError: An argument is wrong.
        TapeError: On entering the block, if this release cannot read the file.
        TapeMismatch: Of a call, with mode `replay`: the request is not on the tape. The message shows the difference
            from the nearest one.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        mode: TapeMode | None = None,
        ttl: str | float | timedelta | None = None,
        ignore: Rewriting | Iterable[Rewriting] = (),
        redact: Rewriting | Iterable[Rewriting] = (),
        speed: float | None = None,
    ) -> None:
        self.mode = checked_mode(mode)
        self.path, is_directory = checked_path(path, ttl)
        self.speed = checked_speed(speed)
        self.played = 0
        self.recorded = 0
        redaction = rewriting('redact', redact, '[redacted]')
        self._rewrite = in_turn(redaction, rewriting('ignore', ignore, '[ignored]'))
        lifetime = checked_ttl(ttl)
        self._store: Store = (
            CacheStore(self.path, redaction, lifetime) if is_directory else FileStore(self.path, redaction)
        )
        self._lock = threading.Lock()  # owns the counts, the depth and the process
        self._depth = 0
        self._pid = os.getpid()
        self._next_save = time.monotonic() + _SAVE_AFTER

    @property
    def name(self) -> str:
        """The tape, for sentences."""
        return f'the tape {self.path}'

    def __enter__(self) -> Self:
        with self._lock:
            first = self._depth == 0
            self._depth += 1
        try:
            if first and self.mode != 'off':
                self._pid, self._next_save = os.getpid(), time.monotonic() + _SAVE_AFTER
                self._store.open()
        except BaseException:
            with self._lock:
                self._depth -= 1
            raise
        begin_recording(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self.close(failed=error is not None)
        except TapeError as failure:
            if error is None:
                raise
            error.add_note(str(failure))

    def close(self, *, failed: bool = False) -> None:
        """End the block.

        Args:
            failed: Whether its test or task has failed. Then answers are stored, and errors of providers are not.

        Raises:
            TapeError: The file cannot be written; it is unchanged.
        """
        end_recording(self)
        with self._lock:
            self._depth -= 1
        if self.mode != 'off':
            self._store.save(refresh=self.mode == 'refresh', failed=failed)

    # --- what models in its place ask ---------------------------------------------------------------------------------

    def in_place_of(self, model: Model | str) -> Model | None:
        """The stand-in for this model, or None for the model itself."""
        return None if self.mode == 'off' else taped(self, model)

    def look_up(
        self,
        identity: tuple[str, str],
        messages: Sequence[ModelMessage],
        settings: ModelSettings,
        parameters: ModelRequestParameters,
        *,
        stream: bool,
    ) -> tuple[Question, Exchange | None]:
        """The request as the tape knows it, and its answer, if it is there; called in a worker thread."""
        files: dict[str, BinaryContent] = {}
        number = next(_numbers)
        rewrite = self._rewrite
        request = canonical_request(*identity, messages, settings, parameters, rewrite=rewrite, files=files)
        question = Question(request, number, files)
        if self.mode == 'refresh':
            return question, None
        exchange = self._store.take(request)
        if exchange is not None and (exchange.complete or stream):
            with self._lock:
                self.played += 1
            return question, exchange
        if self.mode == 'replay':
            raise self._mismatch(question, exchange)
        return question, None

    def why_asked(self, question: Question) -> str | None:
        """The reason for recording a request, for the error that it could not be sent; None with a new tape."""
        if self.mode == 'refresh':
            return None
        why, diff = self._store.why_not(question.request)
        return f'The request {why} ({self.name}), and was to be recorded.\n{diff}' if diff else None

    async def add(self, question: Question, **answer: Any) -> None:
        """Keep an answer; the loop thread calls it, and files are written elsewhere."""
        await call_in_thread(self._keep, self._exchange(question, answer))

    def note(self, question: Question, **answer: Any) -> None:
        """Keep an answer until the end of the block; the loop thread calls it."""
        self._store.add(self._exchange(question, answer))

    def _exchange(self, question: Question, answer: Mapping[str, Any]) -> Exchange:
        with self._lock:
            self.recorded += 1
        now = datetime.now(tz=UTC)
        return Exchange(question.request, now, number=question.number, files=question.files, **answer)

    def _keep(self, exchange: Exchange) -> None:
        with self._lock:
            # An ended block, and a forked copy of one, have no end at which to save.
            must_save = self._depth == 0 or self._pid != os.getpid()
            must_save = must_save or time.monotonic() > self._next_save
            if must_save:
                self._next_save = time.monotonic() + _SAVE_AFTER
        if self._store.add(exchange) and must_save:
            begun_at = time.monotonic()
            with contextlib.suppress(TapeError):  # repeated, and raised, at the end of the block
                self._store.save(refresh=self.mode == 'refresh', failed=False)
            took = time.monotonic() - begun_at
            self._next_save = time.monotonic() + max(_SAVE_AFTER, _SHARE_OF_SAVING * took)

    def _mismatch(self, question: Question, exchange: Exchange | None) -> TapeMismatch:
        if exchange is not None:
            why, diff = 'was recorded as a stream that was left early, and its whole answer is asked for', ''
        else:
            why, diff = self._store.why_not(question.request)
        model = question.request.form['model']
        message = (
            f'The request to {model["provider"]}:{model["name"]} {why}, and {self.name} is replayed: record it with '
            "mode='once' (pytest --tape=once), or all of them again with 'refresh'"
        )
        return TapeMismatch(f'{message}\n{diff}' if diff else message, path=str(self.path), diff=diff)

    def __repr__(self) -> str:
        return f'Tape({str(self.path)!r}, mode={self.mode!r}, played={self.played}, recorded={self.recorded})'
