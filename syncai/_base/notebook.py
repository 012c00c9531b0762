"""Values as notebooks show them: Markdown and HTML in which text of a model is never HTML."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from typing import Any

# At the beginning of a line only: in a list or quotation, this expression cannot see the end of a block.
_FENCED = re.compile(r'^((?P<fence>```+(?=[^`\n]*$)|~~~+).*?(?:^(?P=fence)[`~]*[ \t]*$|\Z))', re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r'(`[^`\n]+`)')
_TAG = re.compile(r'<(?=[a-z/!?])', re.IGNORECASE)
_NO_TAG = '<\u200c'  # looks the same, and begins no block
_ADDRESS = re.compile(r'\]\(\s*<?\s*(?!https?://|mailto:)[a-z][a-z0-9+.-]*:', re.IGNORECASE)


def safe_markdown(text: str) -> str:
    """The Markdown of a model without HTML, pictures, or links other than web addresses; code stays. A picture becomes
    a link: to show it would send a request, with an address of the model's choice, to any server.
    """
    pieces, end = [], 0
    for match in _FENCED.finditer(text):
        pieces += [_outside(text[end : match.start()]), match[0]]
        end = match.end()
    return ''.join([*pieces, _outside(text[end:])])


def _outside(text: str) -> str:
    """Text outside of code blocks, made safe; inline code is too, since a notebook may read it differently."""
    pieces = _INLINE.split(text)
    return ''.join(_TAG.sub(_NO_TAG, piece) if number % 2 else _plain(piece) for number, piece in enumerate(pieces))


def _plain(text: str) -> str:
    escaped = html.escape(text, quote=False).replace('&gt;', '>').replace('![', '&#33;[')
    return _ADDRESS.sub('](#', escaped)


def markdown_of(value: Any) -> str:
    """Text as Markdown, other data as a block of JSON."""
    if isinstance(value, str):
        return safe_markdown(value)
    from pydantic_core import to_json

    text = to_json(value, indent=2, fallback=repr, inf_nan_mode='strings').decode(errors='replace')
    return f'```json\n{text.replace("```", "` ` `")}\n```'


def html_table(rows: Iterable[tuple[str, object]]) -> str:
    """A table of names and values."""
    cells = (f'<tr><th>{html.escape(name)}</th><td>{html.escape(str(value))}</td></tr>' for name, value in rows)
    return f'<table>{"".join(cells)}</table>'
