"""The public surface: every name of every public module, with its signature, as `surface.txt` has it.

A change of the surface shows in a diff of that file. `python tests/laws/test_surface.py` writes it again.
"""

from __future__ import annotations

import enum
import importlib
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, is_typeddict

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / 'tests' / 'support'))
SNAPSHOT = Path(__file__).with_name('surface.txt')


def public_modules() -> list[str]:
    """The modules that a caller may import: those without an underscore in their path."""
    paths = (path.relative_to(ROOT).with_suffix('') for path in (ROOT / 'syncai').rglob('*.py'))
    names = (path.parts[:-1] if path.name == '__init__' else path.parts for path in paths)
    return sorted('.'.join(name) for name in names if not any(part.startswith('_') for part in name))


def surface() -> Iterator[str]:
    """A line for each module, and for each name in its `__all__` with the members of classes."""
    from django_apps import load_applications

    load_applications()
    for module_name in public_modules():
        yield f'{module_name}:'
        module = importlib.import_module(module_name)
        for name in module.__all__:
            yield from described(name, getattr(module, name), '    ')


def described(name: str, value: Any, indent: str) -> Iterator[str]:
    """A public name, and its members if it is a class of the package."""
    if not inspect.isclass(value):
        yield f'{indent}{name}{signature(value)}' if callable(value) else f'{indent}{name}: {type(value).__name__}'
        return
    yield f'{indent}class {name}{signature(value)}'
    if is_typeddict(value):  # its keys are options of calls
        for key, kind in value.__annotations__.items():
            yield f'{indent}    {key}: {getattr(kind, "__forward_arg__", kind)}'
        return
    if issubclass(value, enum.Enum):
        yield f'{indent}    {", ".join(value.__members__)}'
        return
    for member in sorted({m for c in value.__mro__ if c.__module__.startswith('syncai') for m in vars(c)}):
        if not member.startswith('_'):
            yield f'{indent}    {member}{member_text(value, member)}'


def member_text(owner: type, name: str) -> str:
    value = inspect.getattr_static(owner, name)
    if isinstance(value, staticmethod | classmethod):
        return signature(getattr(owner, name))
    return signature(value) if callable(value) else ''


def signature(value: Any) -> str:
    """The names, kinds and annotations of the parameters; annotations are text, as they stand in the source."""
    try:
        of_value = inspect.signature(value)
    except (TypeError, ValueError):
        return ''
    parameters = [p.replace(default='...') if p.default is not p.empty else p for p in of_value.parameters.values()]
    try:
        text = str(of_value.replace(parameters=parameters))
    except ValueError:  # a parameter without a default behind one with: functools.partial
        text = str(of_value)
    return text.replace("'", '').replace('"', '')


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason='other versions of Python show some annotations otherwise')
def test_the_surface_is_as_recorded() -> None:
    recorded = SNAPSHOT.read_text().splitlines()
    today = list(surface())
    gone = [line for line in recorded if line not in today]
    new = [line for line in today if line not in recorded]
    assert (gone, new) == ([], []), 'run `python tests/laws/test_surface.py` where the change is meant'
    assert today == recorded


if __name__ == '__main__':
    sys.path.insert(0, str(ROOT))
    SNAPSHOT.write_text('\n'.join(surface()) + '\n')
