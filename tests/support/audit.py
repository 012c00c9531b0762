"""Looks up frozen requirements in the database of known weaknesses, by pip-audit in a separate environment.

    SYNCAI_AUDIT=1 python tests/support/audit.py REQUIREMENTS

It asks the package index about each of them, so it runs only with that variable. Exits with status 1 if one of them has
a known weakness, and with 0 and the reason if none could be looked up.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path


def ran(*command: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=300, check=False)


def last_line(process: subprocess.CompletedProcess[str]) -> str:
    return next((line.strip() for line in reversed(process.stderr.splitlines()) if line.strip()), 'no reason given')


def verdict(report: str, reason: str) -> tuple[bool, str]:
    """Whether no weakness is known, and the line to print.

    Args:
        report: The output of pip-audit, as JSON.
        reason: Its last line, for the case that the output is no JSON.
    """
    try:
        dependencies = json.loads(report)['dependencies']
    except (ValueError, KeyError):
        return True, f'Skipped: the database of known weaknesses could not be asked: {reason}'
    checked = [dependency for dependency in dependencies if 'skip_reason' not in dependency]
    weak = [f'{d["name"]} {d["version"]}: {vuln["id"]}' for d in checked for vuln in d['vulns']]
    if weak:
        return False, '\n'.join(weak)
    if not checked:
        return True, 'Skipped: the package index here does not know of weaknesses'
    return (
        True,
        f'No weakness is known of {len(checked)} dependencies; {len(dependencies) - len(checked)} are unknown there',
    )


def audit(requirements: Path) -> tuple[bool, str]:
    if os.environ.get('SYNCAI_AUDIT') != '1':
        return True, 'Skipped: it asks the package index about every dependency; SYNCAI_AUDIT=1 allows that'
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder) / 'bin' / 'python'
        installed = ran(python, '-m', 'pip', '--disable-pip-version-check', '--quiet', 'install', 'pip-audit')
        if installed.returncode:
            return True, f'Skipped: pip-audit could not be installed: {last_line(installed)}'
        options = ('--no-deps', '--disable-pip', '--format', 'json', '--requirement', requirements)
        process = ran(python, '-m', 'pip_audit', *options)
        return verdict(process.stdout, last_line(process))


if __name__ == '__main__':
    well, text = audit(Path(sys.argv[1]))
    print(text)
    sys.exit(not well)
