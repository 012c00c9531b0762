"""Names of a package that are imported when they are first used."""

from __future__ import annotations

import sys

TYPE_CHECKING = not __name__  # as in `syncai`, whose import must cost nothing

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType


def importer(package: str, home_of: dict[str, str]) -> Callable[[str], object]:
    """The `__getattr__` of a module, hidden from type checkers, since it seems to have every name.

    The error for a name that it does not have says what to write.

    Args:
        package: The module's `__name__`.
        home_of: The module, in the package, that each name is imported from.
    """

    def attribute(name: str) -> object:
        from importlib import import_module

        if name not in home_of:
            remedy = None if name[:1] == '_' else import_module('.elsewhere', __package__).remedy(package, name)
            importing = _importing(sys._getframe(1)) and not _is_submodule(package, name)
            raise _missing(package, name, remedy, importing)
        value = getattr(import_module(f'.{home_of[name]}', package), name)
        setattr(sys.modules[package], name, value)  # later look-ups find it in the module
        return value

    return attribute


def _is_submodule(package: str, name: str) -> bool:
    """Whether the package has a module of this name: `from package import name` imports it after an AttributeError."""
    from importlib.util import find_spec

    return hasattr(sys.modules[package], '__path__') and find_spec(f'{package}.{name}') is not None


def _missing(package: str, name: str, remedy: str | None, importing: bool) -> Exception:
    """The error for a name that a module does not have; says what to write, if that is known.

    `from package import name` replaces an AttributeError by an ImportError with its own text, and so gets the
    ImportError itself.
    """
    if remedy is None:
        return AttributeError(f'module {package!r} has no attribute {name!r}')
    text = f'{name!r} is not in {package!r}: write {remedy}'
    return ImportError(text, name=package) if importing else AttributeError(text)


def _importing(frame: FrameType | None) -> bool:
    """Whether a name is looked up for a statement `from ... import`: by importlib, for a package, or by the statement
    itself, for a module.
    """
    while frame is not None and frame.f_code.co_name == '__getattr__':
        frame = frame.f_back
    if frame is None:
        return False
    from opcode import opmap

    code = frame.f_code
    return code.co_name == '_handle_fromlist' or code.co_code[frame.f_lasti] == opmap['IMPORT_FROM']
