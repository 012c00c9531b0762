"""Makes the pages of the reference: one for each public module, from its docstrings and its `__all__`.

A public name that its page lacks ends the build: it has no docstring.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.pages import Page

PACKAGE = Path(__file__).parent.parent.parent / 'syncai'


def public_modules() -> list[str]:
    """The modules that declare `__all__`, without private ones and without those that only Django imports."""
    paths = (path for path in PACKAGE.rglob('*.py') if '\n__all__ = ' in path.read_text())
    paths = (path for path in paths if not {'management', 'migrations'} & set(path.parts))
    names = ('.'.join(path.relative_to(PACKAGE.parent).with_suffix('').parts) for path in paths)
    return sorted(name.removesuffix('.__init__') for name in names if '._' not in name.removesuffix('.__init__'))


def exported(module: str) -> list[str]:
    """The names in the `__all__` of a module."""
    path = PACKAGE.parent / module.replace('.', '/')
    text = (path / '__init__.py' if path.is_dir() else path.with_suffix('.py')).read_text()
    return re.findall(r"'(\w+)'", text.partition('\n__all__ = [')[2].partition(']')[0])


def on_startup(**_: Any) -> None:
    """Print warnings alone. (With `--quiet` MkDocs would also not count them, so that none ends the build.)"""
    for handler in logging.getLogger('mkdocs').handlers:
        handler.setLevel(logging.WARNING)


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


def on_post_page(output: str, page: Page, **_: Any) -> str:
    """Raise PluginError unless the page of a module shows every name of its `__all__`."""
    module = Path(page.file.src_uri).stem
    if page.file.src_uri.startswith('reference/'):
        missing = [name for name in exported(module) if f'id="{module}.{name}"' not in output]
        if missing:
            raise PluginError(f'{module}: names without a docstring: {", ".join(missing)}')
    return output
