"""Values as notebooks show them: Markdown and HTML in which nothing of a model is HTML."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from typing import Any

_CODE = re.compile(r'(```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)|`[^`\n]+`)', re.DOTALL)
_ADDRESS = re.compile(r'\]\(\s*<?\s*(?!https?://|mailto:)[a-z][a-z0-9+.-]*:', re.IGNORECASE)


def safe_markdown(text: str) -> str:
    """The Markdown of a model without HTML, and without links that are no addresses of the web; code stays."""
    pieces = _CODE.split(text)
    return ''.join(piece if number % 2 else _plain(piece) for number, piece in enumerate(pieces))


def _plain(text: str) -> str:
    return _ADDRESS.sub('](#', html.escape(text, quote=False).replace('&gt;', '>'))


def markdown_of(value: Any) -> str:
    """Text as Markdown, other data as a block of JSON."""
    if isinstance(value, str):
        return safe_markdown(value)
    from pydantic_core import to_json

    written = to_json(value, indent=2, fallback=repr, inf_nan_mode='strings').decode(errors='replace')
    return f'```json\n{written.replace("```", "` ` `")}\n```'


def html_table(rows: Iterable[tuple[str, object]]) -> str:
    """A table of names and values."""
    cells = (f'<tr><th>{html.escape(name)}</th><td>{html.escape(str(value))}</td></tr>' for name, value in rows)
    return f'<table>{"".join(cells)}</table>'
