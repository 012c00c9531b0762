"""The descriptions of a function and its parameters in a docstring."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from docstring_parser import DocstringStyle, ParseError, parse

__all__ = ['Docstring', 'DocstringFormat', 'parse_docstring']

DocstringFormat: TypeAlias = Literal['auto', 'google', 'numpy', 'sphinx']

_SECTION = re.compile(r'[A-Z][a-z]+:')
_STYLES = {
    'auto': DocstringStyle.AUTO,
    'google': DocstringStyle.GOOGLE,
    'numpy': DocstringStyle.NUMPYDOC,
    'sphinx': DocstringStyle.REST,
}


@dataclass(frozen=True)
class Docstring:
    """The text before the sections, and the descriptions of the parameters by name."""

    description: str = ''
    parameters: Mapping[str, str] = field(default_factory=dict)


def parse_docstring(text: str | None, style: DocstringFormat = 'auto') -> Docstring:
    """The parts of a docstring. Without sections, or if it cannot be parsed, the whole text is the description."""
    text = inspect.cleandoc(text or '')
    try:
        parsed = parse(_with_indented_section(text), _STYLES[style])
    except ParseError:
        return Docstring(text)
    if not parsed.meta:
        return Docstring(text)
    described = {
        name.strip().lstrip('\\*'): _one_line(param.description)
        for param in parsed.params
        for name in param.arg_name.split(',')  # NumPy's style describes several at once
        if param.description
    }
    return Docstring((parsed.description or '').strip(), described)


def _with_indented_section(text: str) -> str:
    """A docstring that begins with a section, such as `Args:`, with the lines of that section indented again.

    Python takes the smallest indentation after the first line for that of the docstring; here it is the indentation of
    the section's content.
    """
    head, _, body = text.partition('\n')
    if not _SECTION.fullmatch(head.rstrip()):
        return text
    body = body if body[:1].isspace() else textwrap.indent(body, '    ')
    return f'\n{head}\n{body}'  # the parser dedents the text again, without its first line


def _one_line(text: str) -> str:
    """The text with wrapped lines joined; paragraphs stay."""
    return '\n\n'.join(' '.join(paragraph.split()) for paragraph in text.split('\n\n'))
