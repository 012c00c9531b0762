"""Names of a package that are imported when they are first used."""

from __future__ import annotations

import sys

TYPE_CHECKING = not __name__  # as in `syncai`, whose import must cost nothing

if TYPE_CHECKING:
    from collections.abc import Callable


def importer(package: str, home_of: dict[str, str], elsewhere: str | None = None) -> Callable[[str], object]:
    """The `__getattr__` of a package.

    Args:
        package: The package's `__name__`.
        home_of: The module of the package that each name is imported from.
        elsewhere: The module of the package whose `remedy` says what to write for names that it does not have itself.
    """

    def attribute(name: str) -> object:
        from importlib import import_module

        if name not in home_of:
            remedy = import_module(f'.{elsewhere}', package).remedy if elsewhere and name[:1] != '_' else _none
            raise _missing(package, name, remedy(name), sys._getframe(1).f_code.co_name)
        value = getattr(import_module(f'.{home_of[name]}', package), name)
        setattr(sys.modules[package], name, value)  # later look-ups find it in the module
        return value

    return attribute


def _none(name: str) -> None:
    del name


def _missing(package: str, name: str, remedy: str | None, asked_by: str) -> Exception:
    """The error for a name that a package does not have; says what to write, if that is known.

    `from package import name` replaces an AttributeError by an ImportError with its own text. So the function of
    importlib that looks up the names of such a statement gets the ImportError; all others get the AttributeError.
    """
    if remedy is None:
        return AttributeError(f'module {package!r} has no attribute {name!r}')
    text = f'{name!r} is not in {package!r} itself: write {remedy}'
    return ImportError(text, name=package) if asked_by == '_handle_fromlist' else AttributeError(text)
