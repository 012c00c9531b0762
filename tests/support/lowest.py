"""The lowest version that pyproject.toml allows of each dependency, as requirements for `pip install`.

Those of the package and of its extras, and the tools that the core of the suite needs.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

PYPROJECT = Path(__file__).parent.parent.parent / 'pyproject.toml'
# Extras that the core of the suite does without: AG-UI's types need a newer pydantic, and Ray is large.
_LEFT_OUT = frozenset({'postgres', 'ray', 'web'})
_REQUIREMENT = re.compile(r'(?P<name>[\w.-]+)(?P<extras>\[[\w,-]+])?>=(?P<lowest>[\w.]+)')


def lowest(requirement: str) -> str:
    """That requirement with its lower bound as the only version; ValueError where it has no lower bound."""
    match = _REQUIREMENT.match(requirement)
    if match is None:
        raise ValueError(f'{requirement!r} has no lower bound: write it as name>=version')
    return f'{match["name"]}{match["extras"] or ""}=={match["lowest"]}'


def requirements() -> Iterator[str]:
    """All of them, each once."""
    pyproject = tomllib.loads(PYPROJECT.read_text())
    project = pyproject['project']
    extras = [one for name, group in project['optional-dependencies'].items() if name not in _LEFT_OUT for one in group]
    yield from dict.fromkeys(map(lowest, [*project['dependencies'], *extras, *pyproject['dependency-groups']['core']]))


if __name__ == '__main__':
    print('\n'.join(requirements()))
