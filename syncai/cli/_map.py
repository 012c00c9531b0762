"""`syncai map`: an answer for each row of a file."""

from __future__ import annotations

import contextlib
import sys
from collections import deque
from collections.abc import Iterator
from operator import length_hint
from pathlib import Path
from typing import Any

import click

from ..agent import Agent
from ..exceptions import UserError
from ._agents import agent_at
from ._result_schema import result_type_of, schema_in
from ._row_files import RowFile, written_rows
from ._run import FAILED, exits_with_status

__all__ = ['map_rows']


@click.command('map')
@click.argument('source', metavar='IN', type=click.Path(path_type=Path, dir_okay=False))
@click.argument('target', metavar='OUT', type=click.Path(path_type=Path, dir_okay=False))
@click.option('-p', '--prompt', metavar='TEXT', help="What to ask for each row, with its columns: 'Sum up: {text}'.")
@click.option('-m', '--model', metavar='MODEL', help='provider:name; else SYNCAI_MODEL, else the first with a key.')
@click.option('--agent', 'place', metavar='MODULE:AGENT', help='An agent of yours in place of a model.')
@click.option('-s', '--system', metavar='TEXT', help='Instructions for the model.')
@click.option('--schema', type=click.Path(path_type=Path), help='A file with a JSON schema that each answer fits.')
@click.option('-j', '--journal', metavar='PLACE', help='Where results are kept, so that a run that is cut goes on.')
@click.option('--key', metavar='COLUMN', help='The column by which the journal knows a row.')
@click.option('--share', is_flag=True, help='Let several processes work on one journal.')
@click.option('--on-change', type=click.Choice(['redo', 'keep']), help='What to do with the rows of another run.')
@click.option('--retry-failed/--no-retry-failed', default=True, help='Whether rows that failed are tried again.')
@click.option('--column', default='result', show_default=True, help='What the answers are called in OUT.')
@click.option('-c', '--max-concurrency', type=click.IntRange(min=1), default=16, show_default=True)
@click.option('--timeout', type=click.FloatRange(min=0, min_open=True), help='Seconds for each row.')
@click.option('--overwrite', is_flag=True, help='Replace OUT where it exists; with a journal that needs no word.')
@click.option('--progress/--no-progress', default=True, help='Whether to show how far it is.')
def map_rows(source: Path, target: Path, prompt: str | None, **options: Any) -> None:
    """Ask for each row of IN, a .jsonl or .csv file, and write the rows with their answers to OUT.

    \b
        syncai map in.jsonl out.jsonl --prompt 'Translate: {text}' --journal run.sqlite
        syncai map in.csv out.csv --prompt '{name}, {city}' --schema address.json

    `-` is the standard input or output, as JSON lines. OUT appears when all rows are there; a row that failed has a
    column `error`. Started again with the same journal, rows that are done are not asked again.

    Exit status: 0 all rows, 1 some failed, 2 wrong use, 130 Ctrl-C.
    """
    with exits_with_status():
        failed = _map(source, target, prompt, options)
        if failed:
            click.echo(f'syncai: {failed} {"row" if failed == 1 else "rows"} failed: see "error" in {target}', err=True)
            sys.exit(FAILED)


def _map(source: Path, target: Path, prompt: str | None, options: dict[str, Any]) -> int:
    """Write the rows; returns how many failed."""
    if not options.pop('overwrite') and options['journal'] is None and target.exists():
        raise UserError(f'{target} exists: name another file, or pass --overwrite')
    place, system, schema = options.pop('place'), options.pop('system'), options.pop('schema')
    if place and system:
        raise UserError('--system is for a model; the agent of --agent has instructions of its own')
    agent = agent_at(place) if place else Agent(system_prompt=system or ())
    if schema:
        options['result_type'] = result_type_of(schema_in(schema), str(schema))
    column, key = options.pop('column'), options.pop('key')
    if options['journal'] is None:
        for name, default in (('share', False), ('on_change', None), ('retry_failed', True)):
            if options.pop(name) != default:
                raise UserError(f'--{name.replace("_", "-")} needs a --journal')
    source_rows = RowFile(source)
    prompts = _Asked(prompt, source_rows)
    options_set = {name: value for name, value in options.items() if value is not None}
    if key is not None:
        options_set['key'] = lambda item: _field(item, key)
    failed = 0
    rows = agent.map_sync(prompts, prompt=prompts.prompt, return_exceptions=True, **options_set)
    with contextlib.closing(rows), written_rows(target, column) as write:
        for row in rows:
            write(prompts.items.popleft(), row)
            failed += row.error is not None
    return failed


class _Asked:
    """The rows of a file, and the template of their prompts.

    A row is kept until its answer is there; both come in the order of the file.

    Args:
        template: The prompt, with names of columns in braces; or None.
        rows: Those of the file.
    """

    def __init__(self, template: str | None, rows: RowFile) -> None:
        self._template = template or '{prompt}'
        self._stated = template is not None
        self._rows = rows
        self.items: deque[dict[str, Any]] = deque()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The rows.

        Raises:
            UserError: The prompt of the first one cannot be written, so that the template is wrong, or the file.
        """
        for number, item in enumerate(self._rows):
            if not number:
                self._written(item)
            yield item

    def __length_hint__(self) -> int:
        return length_hint(self._rows, -1)

    def prompt(self, item: dict[str, Any]) -> str:
        """The prompt of a row."""
        self.items.append(item)
        return self._written(item)

    def _written(self, item: dict[str, Any]) -> str:
        if not self._stated and 'prompt' not in item:
            example = f"--prompt 'Sum up: {{{next(iter(item), 'text')}}}'"
            raise UserError(f'Pass --prompt, with the columns that it needs, such as {example}')
        try:
            return self._template.format_map(_Columns(item))
        except (ValueError, IndexError, AttributeError, TypeError) as error:
            raise UserError(
                f'--prompt {self._template!r} cannot be filled: {error}; write a column as {{name}}, a brace as {{{{'
            ) from None


class _Columns(dict[str, Any]):
    def __missing__(self, name: str) -> Any:
        raise UserError(f'--prompt names {{{name}}}, which the row lacks; it has {", ".join(self) or "no columns"}')


def _field(item: dict[str, Any], name: str) -> Any:
    if name not in item:
        raise UserError(f'--key names {name}, which a row lacks; it has {", ".join(item) or "no columns"}')
    return item[name]
