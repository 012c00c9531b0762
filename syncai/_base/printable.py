"""Text from elsewhere, made safe to show and to log."""

from __future__ import annotations


def printable(text: str) -> str:
    """A text with escapes for characters that move the cursor, change the direction of writing, are invisible, or
    cannot be encoded.

    Lines, tabs and the blanks of all scripts stay.
    """
    if text.isprintable():
        return text
    return ''.join(c if c.isprintable() or c in '\n\t' or _is_blank(c) else _escaped(c) for c in text)


def _is_blank(character: str) -> bool:
    import unicodedata  # here, since most programs never need it

    return unicodedata.category(character) == 'Zs'


def _escaped(character: str) -> str:
    return character.encode('unicode_escape').decode('ascii')
