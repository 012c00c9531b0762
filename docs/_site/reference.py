"""Makes the pages of the reference: one for each public module, from its docstrings and its `__all__`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mkdocs.structure.files import File, Files

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig

PACKAGE = Path(__file__).parent.parent.parent / 'syncai'


def public_modules() -> list[str]:
    """The modules that declare `__all__`, without private ones and without those that only Django imports."""
    paths = (path for path in PACKAGE.rglob('*.py') if '\n__all__ = ' in path.read_text())
    paths = (path for path in paths if not {'management', 'migrations'} & set(path.parts))
    names = ('.'.join(path.relative_to(PACKAGE.parent).with_suffix('').parts) for path in paths)
    return sorted(name.removesuffix('.__init__') for name in names if '._' not in name.removesuffix('.__init__'))


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the pages to the section Reference."""
    pages = [{name: f'reference/{name}.md'} for name in public_modules()]
    nav: list[Any] = [*(config.nav or []), {'Reference': pages}]
    config.nav = nav
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Make the pages."""
    for name in public_modules():
        text = f'# `{name}`\n\n::: {name}\n'
        files.append(File.generated(config, f'reference/{name}.md', content=text))
    return files
