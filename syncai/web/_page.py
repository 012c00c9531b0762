"""The chat pages: each is served as one HTML file, with the shared script for Markdown."""

from __future__ import annotations

import functools
from importlib import resources

__all__ = ['chat_page', 'with_markdown']


def with_markdown(page: str) -> str:
    """A page with `{{markdown}}` replaced by the script of `render(element, text)`, which shows text of a model."""
    return page.replace('{{markdown}}', _read('markdown.js'))


@functools.cache
def chat_page() -> bytes:
    """The page of `chat_app`."""
    return with_markdown(_read('page.html')).encode()


def _read(name: str) -> str:
    return resources.files('syncai.web').joinpath(name).read_text(encoding='utf-8')
