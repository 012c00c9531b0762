"""The progress of a map: a bar in a terminal, a line in a notebook, else a line each 10 s."""

from __future__ import annotations

import logging
import sys
import time
from abc import ABC, abstractmethod
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TextIO

from ..exceptions import UserError

if TYPE_CHECKING:
    from ..result import MapRow

_logger = logging.getLogger('syncai.map')

_LINE_SECONDS = 10.0
_SHOW_SECONDS = 0.2


class Progress:
    """Counts the rows as the caller takes them, and shows the counts. Belongs to the thread or loop that takes the
    rows.

    Args:
        total: How many rows there are, or None.
    """

    def __init__(self, total: int | None) -> None:
        self._total = total
        self._began = self._next = 0.0
        self._view: View | None = None  # set on the first look, so that a map that never begins shows nothing
        self.done = 0
        self.failed = 0
        self.stored = 0
        self._tokens = 0
        self._dollars = Decimal(0)
        self._priced = True  # True until a row has no price, or the package is missing
        self._closed = False

    @property
    def tick(self) -> float:
        """Seconds between two looks; the first access marks the beginning."""
        return self._shown_by().pause

    def _shown_by(self) -> View:
        if self._view is None:
            self._began = time.monotonic()
            self._view = view_of(sys.stderr)
            self._next = self._began + self._view.pause
        return self._view

    def add(self, row: MapRow[Any]) -> None:
        """Count a row."""
        if row.error is None:
            self.done += 1
        else:
            self.failed += 1
        if row.stored:
            self.stored += 1
        else:
            self._tokens += row.usage().total_tokens or 0
            self._add_price(row)
        self.look()

    def _add_price(self, row: MapRow[Any]) -> None:
        if not self._priced or not row.usage().requests:
            return
        try:
            price = row.price
        except UserError:
            price = None
        if price is None:
            self._priced = False
        else:
            self._dollars += price

    def look(self) -> None:
        """Show the counts if that is due."""
        view = self._shown_by()
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + view.pause
            view.show(self)

    def close(self) -> None:
        """Show the last counts."""
        if self._view is not None and not self._closed:
            self._closed = True
            if self.over:
                self._view.show(self)
            self._view.close()

    @property
    def over(self) -> int:
        """Rows that were given."""
        return self.done + self.failed

    @property
    def total(self) -> int | None:
        """How many rows there are, or None."""
        return self._total

    def words(self) -> str:
        """The counts in one line."""
        seconds = max(time.monotonic() - self._began, 1e-9)
        rate = (self.over - self.stored) / seconds
        count = f'{self.done:,} done' if self._total is None else f'{self.done:,} of {self._total:,} done'
        parts = [count, f'{self.failed:,} failed', f'{rate:.1f} rows/s', f'{self._tokens:,} tokens']
        if self.stored:
            parts.insert(2, f'{self.stored:,} from the journal')
        if self._priced:
            parts.append(f'${self._dollars:.4f}')
        if self._total is not None and rate > 0 and self._total > self.over:
            parts.append(f'{_clock((self._total - self.over) / rate)} left')
        return ', '.join(parts)


class View(ABC):
    """A way to show a line of counts.

    Attributes:
        pause: Seconds between two of them.
    """

    pause = _SHOW_SECONDS

    @abstractmethod
    def show(self, progress: Progress) -> None:
        """Show the counts."""

    @abstractmethod
    def close(self) -> None:
        """Leave the last line as it is."""


class LogView(View):
    """A line every 10 s: in the log `syncai.map` if that takes it, else on standard error."""

    pause = _LINE_SECONDS

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def show(self, progress: Progress) -> None:
        """Write a line."""
        if _logger.isEnabledFor(logging.INFO):
            _logger.info('%s', progress.words())
        else:
            print(f'syncai: {progress.words()}', file=self._stream, flush=True)

    def close(self) -> None:
        """Do nothing: each line has ended."""


class LineView(View):
    """One line that is overwritten, for notebooks and plain terminals."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._width = 0

    def show(self, progress: Progress) -> None:
        """Overwrite the last line."""
        words = progress.words()
        print(f'\r{words:{self._width}}', end='', file=self._stream, flush=True)
        self._width = len(words)

    def close(self) -> None:
        """End the line."""
        print(file=self._stream, flush=True)


class BarView(View):
    """A bar of rich."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TaskProgressColumn, TextColumn
        from rich.progress import Progress as Bar
        from rich.table import Column

        # Without a thread: it is drawn when rows arrive, and at intervals when none do.
        words = TextColumn('{task.description}', markup=False, table_column=Column(no_wrap=False))  # on narrow screens
        columns = BarColumn(bar_width=24), TaskProgressColumn(), words
        # Output that is printed meanwhile goes above the bar, unless it is redirected to a file.
        self._bar = Bar(*columns, console=Console(file=stream), auto_refresh=False, redirect_stdout=sys.stdout.isatty())
        self._task = self._bar.add_task('', total=None)
        self._bar.start()

    def show(self, progress: Progress) -> None:
        """Draw the bar."""
        self._bar.update(
            self._task, completed=progress.over, total=progress.total, description=progress.words(), refresh=True
        )

    def close(self) -> None:
        """Leave the bar on the screen."""
        self._bar.stop()


def view_of(stream: TextIO) -> View:
    """The view for this place."""
    if _in_notebook():
        return LineView(sys.stdout)
    if not stream.isatty():
        return LogView(stream)
    try:
        return BarView(stream)
    except ImportError:
        return LineView(stream)


def _in_notebook() -> bool:
    """Whether this is a kernel of Jupyter: its shell has that name, even if another class derives from it."""
    module = sys.modules.get('IPython')
    shell = module.get_ipython() if module is not None else None
    return any(kind.__name__ == 'ZMQInteractiveShell' for kind in type(shell).__mro__)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f'{hours}:{minutes:02}:{rest:02}' if hours else f'{minutes}:{rest:02}'
