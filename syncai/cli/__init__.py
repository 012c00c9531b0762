"""The command `syncai` (extra `cli`): `syncai chat`, `syncai run`, `syncai web`, `syncai doctor`, `syncai models`."""

from __future__ import annotations

import sys

__all__ = ['main']


def main() -> None:
    """Run the command line of this process, and exit."""
    try:
        from ._commands import syncai
    except ModuleNotFoundError as error:
        if error.name not in ('click', 'rich'):
            raise
        sys.exit(f"The command line of syncai needs {error.name}: pip install 'syncai-client[cli]'")
    syncai()
