"""Rows in files of JSON lines and of CSV."""

from __future__ import annotations

import contextlib
import csv
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from pydantic import TypeAdapter

from ..exceptions import UserError

if TYPE_CHECKING:
    from ..result import MapRow

__all__ = ['RowFile', 'written_rows']

Write = Callable[[dict[str, Any], 'MapRow[Any]'], None]

_STANDARD = Path('-')
_UNKNOWN: int = NotImplemented  # https://docs.python.org/3/reference/datamodel.html#object.__length_hint__
_ANY: TypeAdapter[Any] = TypeAdapter(Any)


class RowFile:
    """The rows of a file, read one at a time; if it is no stream, it has a length.

    Args:
        path: The file, or `-`.

    Raises:
        UserError: There is no such file; or when it is read, a line is no row.
    """

    def __init__(self, path: Path) -> None:
        if path != _STANDARD and not path.exists():
            raise UserError(f'There is no file {path}')
        self._path = path

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return _rows_of(self._path)

    def __length_hint__(self) -> int:
        if not self._path.is_file():  # a stream, which can be read once
            return _UNKNOWN
        with self._path.open(encoding='utf-8', errors='replace', newline='') as file:
            if not _is_csv(self._path):
                return sum(bool(line.strip()) for line in file)
            with contextlib.suppress(csv.Error):
                return max(0, sum(1 for row in csv.reader(file) if row) - 1)
            return _UNKNOWN


def _rows_of(path: Path) -> Iterator[dict[str, Any]]:
    if path == _STANDARD:
        yield from _json_rows(sys.stdin, '-')
        return
    with path.open(encoding='utf-8-sig', newline='') as file:
        try:
            yield from _csv_rows(file, path) if _is_csv(path) else _json_rows(file, path)
        except UnicodeDecodeError as error:
            raise UserError(f'{path} is no text in UTF-8: {error}. Save it as JSON lines or CSV in UTF-8') from None


def _json_rows(file: TextIO, name: object) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise UserError(f'Line {number} of {name} is no JSON: {error}; write one object a line') from None
        if not isinstance(row, dict):
            raise UserError(f'Line {number} of {name} is no JSON object: write {{"text": ...}}, one a line')
        yield row


def _csv_rows(file: TextIO, path: Path) -> Iterator[dict[str, Any]]:
    header = file.readline()
    file.seek(0)
    reader = csv.DictReader(file, delimiter=_delimiter_of(header), strict=True)
    try:
        names = reader.fieldnames or ()
        if twice := [name for number, name in enumerate(names) if name in names[:number]]:
            raise UserError(f'{path} has two columns called {twice[0]!r}: give each a name of its own')
        for row in reader:
            if None in row or None in row.values():
                cells = sum(value is not None for name, value in row.items() if name is not None)
                cells += len(row.get(None) or ())
                raise UserError(
                    f'Line {reader.line_num} of {path} has {cells} columns, and the first line {len(names)}: put '
                    'quotes around a text that holds commas or line breaks'
                )
            yield row
    except csv.Error as error:
        raise UserError(f'Line {reader.line_num} of {path} is no CSV: {error}') from None


def _is_csv(path: Path) -> bool:
    return path.suffix.lower() in ('.csv', '.tsv')


def _delimiter_of(header: str) -> str:
    """The comma, unless the first line has none: spreadsheets write semicolons in some languages, and tabs."""
    return ',' if ',' in header else next((sign for sign in ('\t', ';') if sign in header), ',')


@contextmanager
def written_rows(path: Path, column: str) -> Iterator[Write]:
    """A function that writes a row with its answer. The file appears, or is replaced, when the block ends without an
    error.

    Args:
        path: A file of JSON lines or, by its name, of CSV; `-` for JSON lines on the standard output.
        column: What the answers are called.
    """
    if path == _STANDARD:
        yield _json_writer(sys.stdout, column)
        return
    part = path.with_name(f'{path.name}.part')
    try:
        file = part.open('w', encoding='utf-8', newline='')
    except OSError as error:
        raise UserError(f'{path} cannot be written: {error.strerror}') from None
    with file:
        try:
            yield _csv_writer(file, column) if _is_csv(path) else _json_writer(file, column)
        except BaseException:
            file.flush()
            if part.stat().st_size:
                print(f'syncai: the rows until then are in {part}', file=sys.stderr)
            raise
    part.replace(path)


def _answered(item: dict[str, Any], row: MapRow[Any], column: str) -> dict[str, Any]:
    if row.error is not None:
        return {**item, column: None, 'error': f'{type(row.error).__name__}: {row.error}'}
    return {**item, column: _ANY.dump_python(row.data, mode='json', fallback=str)}


def _json_writer(file: TextIO, column: str) -> Write:
    def write(item: dict[str, Any], row: MapRow[Any]) -> None:
        file.write(json.dumps(_answered(item, row, column), ensure_ascii=False) + '\n')
        file.flush()

    return write


def _csv_writer(file: TextIO, column: str) -> Write:
    writer: csv.DictWriter[str] | None = None

    def write(item: dict[str, Any], row: MapRow[Any]) -> None:
        nonlocal writer
        answered = _answered(item, row, column)
        if writer is None:
            names = [name for name in item if name not in (column, 'error')]
            writer = csv.DictWriter(file, [*names, column, 'error'], restval='', extrasaction='ignore')
            writer.writeheader()
        answer = answered[column]
        text = answer if isinstance(answer, str) else '' if answer is None else json.dumps(answer, ensure_ascii=False)
        writer.writerow({**answered, column: text})

    return write
