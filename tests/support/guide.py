"""A project made as a guide describes, in a separate directory."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def code_under(document: str, heading: str) -> str:
    """The block of Python that follows a line of a guide."""
    text = (ROOT / 'docs' / document).read_text()
    match = re.search(rf'{re.escape(heading)}\n+```py\n(.*?)```', text, re.DOTALL)
    assert match, f'docs/{document} has no block under {heading!r}'
    return match[1]


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, 'PYTHONPATH': str(ROOT), 'PYTHONWARNINGS': 'error', **more}


def manage(directory: Path, *arguments: str, **more: str) -> str:
    """The output of a command of the project."""
    command = [sys.executable, 'manage.py', *arguments]
    process = subprocess.run(
        command, cwd=directory, env=environment(**more), capture_output=True, text=True, timeout=50, check=False
    )
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout


def django_project(directory: Path, **more: str) -> Path:
    """The project of docs/django.md, with its tables and a user `ada` of the staff."""
    start = [sys.executable, '-m', 'django', 'startproject', 'mysite', '.']
    subprocess.run(start, cwd=directory, env=environment(), check=True, timeout=50)
    settings = directory / 'mysite' / 'settings.py'
    own = code_under('django.md', 'At the end of `mysite/settings.py`:')
    settings.write_text(f'{settings.read_text()}\n{own}')
    (directory / 'mysite' / 'urls.py').write_text(code_under('django.md', '`mysite/urls.py`:'))
    manage(directory, 'migrate', '-v0', **more)
    secret = {'DJANGO_SUPERUSER_PASSWORD': 'of a test', **more}
    manage(directory, 'createsuperuser', '--noinput', '--username=ada', '--email=ada@example.org', **secret)
    return directory
