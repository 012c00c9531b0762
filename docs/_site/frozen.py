"""Shows the classes of `syncai._base.frozen.dataclass` with their arguments, as type checkers see them."""

from __future__ import annotations

from typing import Any

from griffe import Extension, Module

ALIASED = 'syncai._base.frozen.dataclass'


class FrozenDataclasses(Extension):
    """Before dataclasses are handled, the decorator of the package becomes that of the standard library."""

    def on_package(self, *, pkg: Module, **_: Any) -> None:
        """Called by griffe with the whole package."""
        for module in _modules(pkg):
            member = module.members.get('dataclass')
            if member is not None and member.is_alias and member.target_path == ALIASED:
                member.target_path = 'dataclasses.dataclass'


def _modules(module: Module) -> list[Module]:
    return [module, *(inner for child in module.modules.values() if not child.is_alias for inner in _modules(child))]
