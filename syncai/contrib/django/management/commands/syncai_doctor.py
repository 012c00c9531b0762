"""`manage.py syncai_doctor`: what the project has, and what is wrong with it."""

from __future__ import annotations

import math
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterable
from typing import Any, ClassVar

from django.core.management.base import BaseCommand, CommandError

from ....._base.printable import printable
from .....cli._findings import Finding, keys, process, versions
from .....cli._reaching import reachable
from ..._findings import checks, database, project

__all__ = ['Command']

_MARKS = {'ok': 'ok', 'note': '--', 'warning': '!!', 'error': 'XX'}


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < math.inf:
        raise ArgumentTypeError(f'{text} is not a number above 0')
    return seconds


class Command(BaseCommand):
    """The command; it exits with status 1 when something is wrong."""

    help = 'Look at settings, keys, providers, tables and the loop thread, and say what is wrong. Sends no key.'
    requires_system_checks: ClassVar[Any] = []  # it shows them itself

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Its options."""
        parser.add_argument('--offline', action='store_true', help='Send nothing over the network.')
        parser.add_argument('--timeout', type=_seconds, default=5.0, help='Seconds to wait for each provider.')

    def handle(self, *_: Any, offline: bool, timeout: float, **__: Any) -> None:
        """Print the report."""
        findings = self._section('Versions', versions())
        findings += self._section('Project', project())
        findings += self._section('Checks', checks())
        findings += self._section('Database', database())
        findings += self._section('Keys and proxies', keys())
        if not offline:
            findings += self._section('Providers', reachable(every=False, seconds=timeout))
        findings += self._section('This process', process())
        advice = dict.fromkeys(finding.advice for finding in findings if finding.advice)
        if advice:
            self.stdout.write('\nAdvice')
            for line in advice:
                self.stdout.write(f'  {line}')
        if wrong := sum(finding.state == 'error' for finding in findings):
            raise CommandError(f'{wrong} wrong: see the lines that begin with XX')

    def _section(self, title: str, findings: Iterable[Finding]) -> list[Finding]:
        self.stdout.write(f'\n{title}')
        listed_findings = list(findings)
        for finding in listed_findings:
            line = f'  {_MARKS[finding.state]} {printable(finding.text)}'
            style = {'error': self.style.ERROR, 'warning': self.style.WARNING}.get(finding.state)
            self.stdout.write(line if style is None else style(line))
        if not listed_findings:
            self.stdout.write('  -- nothing to look at')
        return listed_findings
