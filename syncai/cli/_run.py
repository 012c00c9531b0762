"""`syncai run`: one answer, for pipes."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
from pydantic import TypeAdapter

from .._base.printable import printable
from ..agent import Agent
from ..approvals import ask_in_terminal
from ..content import BinaryContent, UserContent
from ..exceptions import AgentRunError, SyncAIError, UserError
from ..result import RunPaused, RunResult
from ._agents import agent_at
from ._result_schema import result_type_of, schema_in

__all__ = ['exits_with_status', 'price_of', 'run']

FAILED, WRONG_USE, PAUSED, INTERRUPTED = 1, 2, 3, 130


@contextmanager
def exits_with_status() -> Iterator[None]:
    """Errors become one line and a status: 1 the model or network, 2 wrong use, 3 waits for approval, 130 Ctrl-C."""
    try:
        yield
    except (KeyboardInterrupt, click.Abort):
        sys.exit(INTERRUPTED)
    except BrokenPipeError:  # as with `| head`: the reader closed the pipe
        sys.stderr.close()
        sys.exit(FAILED)
    except RunPaused as paused:
        names = ', '.join(call.tool_name for call in paused.pending)
        _fail(f'The run waits for approval of {names}: run it in a terminal', PAUSED)
    except AgentRunError as error:
        _fail(f'{type(error).__name__}: {error}', FAILED)
    except SyncAIError as error:
        _fail(str(error), WRONG_USE)


def _fail(message: str, status: int) -> None:
    click.echo(f'syncai: {printable(message)}', err=True)
    sys.exit(status)


@click.command()
@click.argument('prompt', required=False)
@click.option('-m', '--model', metavar='MODEL', help='provider:name; else SYNCAI_MODEL, else the first with a key.')
@click.option('--agent', 'place', metavar='MODULE:AGENT', help='An agent of yours in place of a model.')
@click.option('-s', '--system', metavar='TEXT', help='Instructions for the model.')
@click.option('--schema', type=click.Path(path_type=Path), help='A file with a JSON schema that the answer fits.')
@click.option(
    '-f', '--file', 'files', multiple=True, type=click.Path(path_type=Path), help='A file to send; repeat it.'
)
@click.option('--json', 'as_json', is_flag=True, help='Print data, usage, price and model as one JSON object.')
@click.option('--timeout', type=click.FloatRange(min=0, min_open=True), help='Seconds for the whole run.')
def run(
    prompt: str | None,
    model: str | None,
    place: str | None,
    system: str | None,
    schema: Path | None,
    files: tuple[Path, ...],
    as_json: bool,
    timeout: float | None,
) -> None:
    """Ask once and print the answer. What is piped in follows the PROMPT.

    \b
        cat log | syncai run -m openai:gpt-5.4-mini 'summarise'
        syncai run 'Where were the games?' --schema city.json | jq .city

    Exit status: 0 an answer, 1 the model or the network failed, 2 wrong use, 3 a call waits for approval, 130 Ctrl-C.
    """
    with exits_with_status():
        agent = agent_at(place) if place else Agent(system_prompt=system or ())
        if place and system:
            raise UserError('--system is for a model; the agent of --agent has instructions of its own')
        options: dict[str, Any] = {'timeout': timeout, 'approve': ask_in_terminal if sys.stdin.isatty() else None}
        if model:
            options['model'] = model
        if schema:
            options['result_type'] = result_type_of(schema_in(schema), str(schema))
        content = _prompt(prompt, files)
        if as_json or schema or agent._spec.result_type is not str:
            _print_whole(agent.run_sync(content, **options), as_json=as_json)
        else:
            _print_stream(agent, content, options)


def _prompt(prompt: str | None, files: Sequence[Path]) -> str | list[UserContent]:
    piped = '' if sys.stdin.isatty() else sys.stdin.read()
    text = '\n\n'.join(part for part in (prompt, piped.strip()) if part)
    if not text and not files:
        raise UserError("There is nothing to ask: syncai run 'your question', or pipe a text in")
    return [*([text] if text else []), *map(BinaryContent.from_path, files)] if files else text


def _print_stream(agent: Agent[Any, Any], prompt: str | list[UserContent], options: dict[str, Any]) -> None:
    clean = printable if sys.stdout.isatty() else str
    last = ''
    with agent.run_stream_sync(prompt, **options) as stream:
        for piece in stream.stream_text(delta=True, debounce_by=None):
            sys.stdout.write(clean(piece))
            sys.stdout.flush()
            last = piece or last
    if not last.endswith('\n'):
        sys.stdout.write('\n')
    sys.stdout.flush()


def price_of(result: Any) -> Decimal | None:
    """What a run cost in US dollars; None if that is not known, or the extra `prices` is not there."""
    try:
        price = result.price
    except UserError:
        return None
    return None if price is None else Decimal(price)


def _print_whole(result: RunResult[Any], *, as_json: bool) -> None:
    data = TypeAdapter(Any).dump_python(result.data, mode='json', fallback=str)
    if not as_json:
        text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False, indent=2)
        click.echo(printable(text) if sys.stdout.isatty() else text)
        return
    usage, price = result.usage(), price_of(result)
    whole = {
        'data': data,
        'model': result.response.model_name,
        'usage': {name: getattr(usage, name) for name in ('requests', 'request_tokens', 'response_tokens')},
        'price': None if price is None else float(price),
    }
    click.echo(json.dumps(whole, ensure_ascii=False, indent=2 if sys.stdout.isatty() else None))
