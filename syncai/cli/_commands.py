"""The commands, by click and rich."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable

import click
from rich.console import Console

from .. import __version__
from ..models import known_model_names
from ..models._catalog.providers import PROVIDERS
from ._chat import chat
from ._findings import Finding, keys, process, versions
from ._map import map_rows
from ._reaching import reachable
from ._run import run
from ._web import web

_MARKS = {'ok': ('ok', 'green'), 'note': ('--', 'cyan'), 'warning': ('!!', 'yellow'), 'error': ('XX', 'red')}


def _above_zero(ctx: click.Context, param: click.Parameter, seconds: float) -> float:
    """The option, unless it is no time; the ranges of click let `nan` pass."""
    if not 0 < seconds < math.inf:
        raise click.BadParameter(f'{seconds:g} is not a number above 0', ctx, param)
    return seconds


@click.group()
@click.version_option(__version__, prog_name='syncai')
def syncai() -> None:
    """Language models from ordinary synchronous Python."""


@syncai.command()
@click.option('--offline', is_flag=True, help='Send nothing over the network.')
@click.option('--all', 'every', is_flag=True, help='Look at all providers, also those without a key.')
@click.option(
    '--timeout',
    default=5.0,
    show_default=True,
    callback=_above_zero,
    help='Seconds to wait for each provider, above 0.',
)
def doctor(offline: bool, every: bool, timeout: float) -> None:
    """Look at versions, keys, providers and the loop thread, and say what is wrong.

    Exits with status 1 when something is. Keys are never shown, and none is sent.
    """
    console = Console(highlight=False, emoji=False)
    findings: list[Finding] = []
    findings += _section(console, 'Versions', versions())
    findings += _section(console, 'Keys and proxies', keys())
    if not offline:
        findings += _section(console, 'Providers', reachable(every=every, seconds=timeout))
    findings += _section(console, 'This process', process())
    advice = [finding.advice for finding in findings if finding.advice]
    if advice:
        console.print('\nAdvice', style='bold')
        for line in dict.fromkeys(advice):
            console.print(f'  {line}', soft_wrap=True, markup=False)
    sys.exit(any(finding.state == 'error' for finding in findings))


@syncai.command()
@click.argument('provider', required=False, type=click.Choice(list(PROVIDERS)))
def models(provider: str | None) -> None:
    """List the models that are known by name, of one PROVIDER or of all. Others work too."""
    for name in known_model_names(provider):
        click.echo(name)


syncai.add_command(chat)
syncai.add_command(run)
syncai.add_command(web)
syncai.add_command(map_rows)


def _section(console: Console, title: str, findings: Iterable[Finding]) -> list[Finding]:
    console.print(f'\n{title}', style='bold')
    severities = []
    for finding in findings:
        mark, style = _MARKS[finding.state]
        console.print(mark.rjust(4), style=style, end=' ')
        console.print(finding.text, soft_wrap=True, markup=False)
        severities.append(finding)
    if not severities:
        console.print('  -- nothing to look at', style='cyan')
    return severities
