"""What mypy says of a program."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def check(code: str, path: Path) -> dict[int, str]:
    """What mypy says of each line."""
    path.write_text(code)
    command = [sys.executable, '-m', 'mypy', '--strict', '--hide-error-context', '--no-error-summary', str(path)]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=150, check=False)
    assert process.returncode in (0, 1), process.stderr or process.stdout
    messages: dict[int, str] = {}
    for name, line, text in re.findall(r'^(.*?):(\d+): (?:note|error): (.*)$', process.stdout, re.MULTILINE):
        assert name.endswith(path.name), f'{name}:{line}: {text}'
        messages[int(line)] = f'{messages.get(int(line), "")} {text}'.strip()
    return messages


def plain(text: str) -> str:
    """A type's name, without what differs between versions of the checker."""
    text = re.sub(r'builtins\.|\?', '', text)
    text = re.sub(r'Union\[(.*)\]', lambda m: m[1].replace(', ', ' | '), text)
    text = re.sub(r'\brevealed\.', '', text)
    return re.sub(r'syncai\.(testing|messages|models)\.[_a-z.]+\.', r'syncai.\1.', text)
