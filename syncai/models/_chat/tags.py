"""Thoughts between tags in the text of a model; pure. Open models write `<think>...</think>` before their answer, and a
server without a parser passes it on. Many chat templates write the opening tag themselves, so that only the closing one
arrives (DeepSeek R1, QwQ, Qwen3; see https://docs.vllm.ai/en/latest/features/reasoning_outputs.html). Tags only count
at the beginning of a text: inside it, they belong to the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from ..._base.frozen import dataclass
from ...exceptions import UserError
from .._catalog.providers import Provider


@dataclass(frozen=True, slots=True)
class ThinkingTags:
    """The tags around thoughts.

    Attributes:
        opening: The tag before them; empty where every text begins with thoughts.
        closing: The tag after them.
        late: Whether every piece of a stream is searched for a single closing tag, and not only its end; the text
            before such a tag was given as text until then.
    """

    opening: str = '<think>'
    closing: str = '</think>'
    late: bool = False


def tags_of(asked_for: tuple[str, str] | bool | None, provider: Provider, base_url: str) -> ThinkingTags | None:
    """The tags to search for: the user's, else those of the provider's row. OpenAI's own models write none; other
    servers of its format may.

    Raises:
        UserError: They are no pair of tags.
    """
    if asked_for is None:
        own = provider.openai_rules and base_url == provider.default_base_url
        tags = None if own else provider.chat.thinking_tags
        return ThinkingTags(*tags, provider.chat.thinks_first) if tags else None
    if isinstance(asked_for, bool):
        return ThinkingTags(late=True) if asked_for else None
    pair = isinstance(asked_for, tuple) and len(asked_for) == 2 and all(isinstance(tag, str) for tag in asked_for)
    if not pair or not asked_for[1]:
        raise UserError(
            "thinking_tags must be True, False or a pair such as ('<think>', '</think>'), whose first may be empty, "
            f'not {asked_for!r:.100}'
        )
    return ThinkingTags(*asked_for, late=True)


Piece: TypeAlias = tuple[Literal['text', 'thoughts', 'were thoughts'], str]
"""The kind of a piece. `were thoughts` is the end of thoughts whose beginning was given as text."""

_QUOTES = frozenset('`\'"\u201c\u201d\u2018\u2019')


class TaggedText:
    """Finds the thoughts at the beginning of an arriving text, which may be cut anywhere.

    Args:
        tags: The tags.
        late: Whether a closing tag alone ends thoughts too.

    Attributes:
        late: As the argument, while it is undecided.
        thought: Whether thoughts were found.
        plain: Whether no tag can count any more, so that the rest need not be searched.
    """

    def __init__(self, tags: ThinkingTags, *, late: bool) -> None:
        self._opening, self._closing, self.late = tags.opening, tags.closing, late
        self._state: Literal['before', 'thoughts', 'text'] = 'before' if tags.opening else 'thoughts'
        self._undecided = ''  # text that may be a tag, or blanks before one
        self._has_begun = False  # whether this text or these thoughts have a first letter
        self.thought = not tags.opening
        self._before = ''  # the letter before the held text
        self.plain = False

    def passes(self, piece: str) -> bool:
        """Whether a piece is certainly text and need not be fed."""
        if self._state != 'text' or self._undecided or self._closing[0] in piece:
            return False
        self._before = piece[-1]
        return True

    def feed(self, piece: str, *, last: bool = False) -> Sequence[Piece]:
        """The decided pieces after the next piece of text.

        Args:
            piece: The text; empty at the end.
            last: Whether this is the last piece, so that nothing is held back.
        """
        if piece and self.passes(piece):
            return (('text', piece),)
        self._undecided += piece
        steps: list[Piece] = []
        while self._undecided and (step := self._step(last)) is not None:
            if step[1] or step[0] == 'were thoughts':
                steps.append(step)
        return steps

    def _step(self, last: bool) -> Piece | None:
        """The next decided piece; None if more text is needed."""
        if self._state == 'before':
            return self._decide(last)
        return self._in_thoughts(last) if self._state == 'thoughts' else self._in_text(last)

    def _decide(self, last: bool) -> Piece | None:
        stripped = self._undecided.lstrip()
        if self._opening and stripped.startswith(self._opening):
            self._state, self._has_begun, self._undecided = 'thoughts', False, stripped[len(self._opening) :]
            separator = '\n\n' if self.thought else ''
            self.thought = True
            return 'thoughts', separator
        if not last and self._opening.startswith(stripped):
            return None
        self._state = 'text'
        self.plain = not self.late
        if self.thought:  # blank lines between the thoughts and the answer belong to neither
            self._undecided = stripped
        return self._in_text(last)

    def _in_thoughts(self, last: bool) -> Piece | None:
        text = self._undecided if self._has_begun else self._undecided.lstrip()
        self._has_begun = self._has_begun or bool(text)
        end = text.find(self._closing)
        if end >= 0:
            self._state, self._undecided, self.late = 'before', text[end + len(self._closing) :], False
            return 'thoughts', text[:end].rstrip()
        end = len(text) if last else _begins(text, self._closing)
        thoughts = text[:end].rstrip()
        self._undecided = '' if last else text[len(thoughts) :]
        return ('thoughts', thoughts) if thoughts else None

    def _in_text(self, last: bool) -> Piece | None:
        text, closing = self._undecided, self._closing
        if not self.late:
            self._undecided, self.plain = '', True
            return 'text', text
        opening, end = text.find(self._opening), text.find(closing)
        if opening >= 0 and (opening < end or end < 0):
            self.late = False  # the answer itself mentions tags
            return self._in_text(last)
        if end < 0:
            end = len(text) if last else min(_begins(text, closing), _begins(text, self._opening))
            return self._say(end)
        after = text[end + len(closing) :]
        if not after and not last:
            return self._say(end) if end else None
        if _is_mention((text[:end] or self._before)[-1:], after[:1]):
            return self._say(end + len(closing))
        self.late, self.thought, self._state, self._undecided = False, True, 'before', after
        return 'were thoughts', text[:end].rstrip()

    def _say(self, end: int) -> Piece | None:
        text, self._undecided = self._undecided[:end], self._undecided[end:]
        self._before = text[-1:] or self._before
        return ('text', text) if text else None


def split_thoughts(text: str, tags: ThinkingTags, *, late: bool = True) -> tuple[str, str]:
    """The thoughts and the answer in a whole text; `late` as in `TaggedText`."""
    if tags.opening and tags.opening not in text and tags.closing not in text:  # mostly
        return '', text
    thoughts: list[str] = []
    texts: list[str] = []
    for kind, piece in TaggedText(tags, late=late).feed(text, last=True):
        if kind == 'were thoughts':
            thoughts, texts = [''.join([*texts, piece]).strip()], []
        else:
            (texts if kind == 'text' else thoughts).append(piece)
    return ''.join(thoughts), ''.join(texts)


def _begins(text: str, tag: str) -> int:
    """The position where the text may end in the beginning of the tag; its length if nowhere."""
    for length in range(min(len(tag) - 1, len(text)), 0, -1):
        if text.endswith(tag[:length]):
            return len(text) - length
    return len(text)


def _is_mention(before: str, after: str) -> bool:
    """Whether a closing tag is inside a sentence, judged by the letters next to it."""
    quoted = before in _QUOTES and after in _QUOTES
    return quoted or (before in (' ', '\t') and after not in ('', '\n', '\r'))
