"""Prints a line for each missing part of a release; exits with status 1 if there is one.

python tests/support/release.py
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
SECTION = re.compile(r'^## (?P<title>.+)$\n(?P<body>(?:(?!^## ).*\n?)*)', re.MULTILINE)


def lacks(version: str, changelog: str, project: Mapping[str, Any]) -> Iterator[str]:
    """The missing parts of the project's texts for a release of this version."""
    sections = {match['title']: match['body'] for match in SECTION.finditer(changelog)}
    title = next((title for title in sections if title.split()[0] == version), None)
    if title is None:
        yield f'CHANGELOG.md has no section for {version}: rename "Unreleased" to it'
    elif not re.fullmatch(rf'{re.escape(version)} - \d{{4}}-\d\d-\d\d', title):
        yield f'CHANGELOG.md: write the date of the release, as "## {version} - YYYY-MM-DD"'
    elif 'not published' in sections[title]:
        yield f'CHANGELOG.md: the section of {version} says that it is not published'
    if '- ' in sections.get('Unreleased', ''):
        yield f'CHANGELOG.md: lines stand under Unreleased: move them to {version}'
    if not project.get('urls'):
        yield 'pyproject.toml: [project.urls] is empty: write the address of the repository'


def git(*arguments: str) -> str:
    process = subprocess.run(['git', *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    return process.stdout.strip()


def main() -> None:
    import syncai

    version = syncai.__version__
    project = tomllib.loads((ROOT / 'pyproject.toml').read_text())['project']
    lines = [*lacks(version, (ROOT / 'CHANGELOG.md').read_text(), project)]
    if git('status', '--porcelain'):
        lines.append('git: commit or remove what has changed')
    if git('tag', '--list', f'v{version}'):
        lines.append(f'git: the tag v{version} exists: raise the version')
    print('\n'.join(lines) or f'{version} can be released: tag it as v{version}')
    sys.exit(bool(lines))


if __name__ == '__main__':
    main()
