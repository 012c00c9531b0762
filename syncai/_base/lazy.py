"""Names of a package that are imported when they are first used."""

from __future__ import annotations

import sys

TYPE_CHECKING = not __name__  # as in `syncai`, whose import must cost nothing

if TYPE_CHECKING:
    from collections.abc import Callable


def importer(package: str, home_of: dict[str, str]) -> Callable[[str], object]:
    """The `__getattr__` of a package.

    Args:
        package: The package's `__name__`.
        home_of: The module of the package that each name is imported from.
    """

    def attribute(name: str) -> object:
        if name not in home_of:
            raise AttributeError(f'module {package!r} has no attribute {name!r}')
        from importlib import import_module

        value = getattr(import_module(f'.{home_of[name]}', package), name)
        setattr(sys.modules[package], name, value)  # found at once from now on
        return value

    return attribute
