"""The messages of a conversation that are sent; the stored ones never change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Protocol, Self

from .._engine.whole_history import is_return
from ..exceptions import UserError
from ..messages import ModelMessage, ModelRequest, ModelResponse, UserPromptPart
from ..models import KnownModelName, Model
from ..models._infer import check_model
from ._sizes import count_of, size_of

__all__ = ['checked_keep', 'Fit', 'Keep', 'Last', 'prompts_in']

_SLACK = 0.75  # of the share remains after a cut, so that the next requests need no cut and prompt caches stay valid


class Keep(Protocol):
    """Decides which messages are sent. A cut falls right before a prompt of the user; system prompts always stay."""

    @property
    def summary(self) -> Model | KnownModelName | str | None:
        """The model that summarises what is left out; None leaves it out silently."""
        ...

    def first(self, messages: Sequence[ModelMessage], window: int | None, /) -> int:
        """The position of the first message to send: 0, or one of `prompts_in(messages)`.

        Args:
            messages: The conversation, the prompt that is to be answered included.
            window: The most tokens that the model takes, if that is known.
        """
        ...

    def tighter(self, messages: Sequence[ModelMessage], window: int | None, /) -> Keep | None:
        """A `Keep` that sends fewer of these messages after the model refused them; None if all must stay."""
        ...


@dataclass(frozen=True, slots=True)
class Last:
    """Sends the last messages, at most `count` of them; but always all since the last prompt.

    Args:
        count: The most messages to send, at least 1.

    Raises:
        UserError: `count` is no such number.
    """

    count: int
    summary: None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.count, int) or isinstance(self.count, bool) or self.count < 1:
            raise UserError(f'Last(count) must be an integer above 0, not {self.count!r:.100}')

    def first(self, messages: Sequence[ModelMessage], window: int | None, /) -> int:
        """The position of the first message to send."""
        del window
        prompts = prompts_in(messages)
        if len(messages) <= self.count or not prompts:
            return 0
        return next((number for number in prompts if len(messages) - number <= self.count), prompts[-1])

    def tighter(self, messages: Sequence[ModelMessage], window: int | None, /) -> Self | None:
        """A `Last` of half as many."""
        first = self.first(messages, window)
        fewer = replace(self, count=max(1, (len(messages) - first) // 2))
        return fewer if fewer.first(messages, window) > first else None


@dataclass(frozen=True, slots=True)
class Fit:
    """Sends as many of the last messages as fit into a share of the model's context window.

    The size is the provider's count of the last response, and an estimate of what came after it; a file has a size by
    its kind. When the share is exceeded, a quarter of it is freed, so that the beginning of the next requests stays the
    same. If the model still refuses a request as too long, it is cut and sent once more.

    Args:
        share: The part of the window for the messages, between 0 and 1: the answer needs room, too.
        summary: A model that summarises what is left out, once for each cut; None leaves it out.
        window: The tokens of the window; None takes the known window of the model. If that is unknown, everything is
            sent until the model refuses it.

    Raises:
        UserError: An argument is wrong; says which.
    """

    share: float
    summary: Model | KnownModelName | str | None = None
    window: int | None = None
    _most: int | None = field(default=None, repr=False, kw_only=True)

    def __post_init__(self) -> None:
        share = self.share
        if not isinstance(share, int | float) or isinstance(share, bool) or not 0 < share < 1:
            raise UserError(f'Fit(share) must be a part of the context window, such as 0.7, not {share!r:.100}')
        if self.summary is not None:
            check_model(self.summary)
        if self.window is not None and (not isinstance(self.window, int) or self.window < 1):
            raise UserError(f'Fit(window) must be a number of tokens or None, not {self.window!r:.100}')

    def first(self, messages: Sequence[ModelMessage], window: int | None, /) -> int:
        """The position of the first message to send."""
        most = self._limit(window)
        return 0 if most is None else _Walk(messages, most).first

    def tighter(self, messages: Sequence[ModelMessage], window: int | None, /) -> Self | None:
        """A `Fit` of half the refused size."""
        most = self._limit(window)
        walk = _Walk(messages, most)
        fewer = replace(self, _most=max(1, walk.size // 2))
        return fewer if fewer.first(messages, window) > walk.first else None

    def _limit(self, window: int | None) -> int | None:
        window = self.window or window
        limits = [limit for limit in (window and int(window * self.share), self._most) if limit is not None]
        return min(limits, default=None)


class _Walk:
    """Replays the requests of a conversation one after another, with the cut of each.

    So the provider's count of the last response is known to cover the messages since the cut before it.

    Attributes:
        first: The first message to send now.
        size: The tokens of the messages from there on.
    """

    def __init__(self, messages: Sequence[ModelMessage], most: int | None) -> None:
        self._most = most
        self._prompts = prompts_in(messages)
        self._ends = [0, *accumulate(map(size_of, messages))]
        self.first = 0
        # The provider's count, of the messages between two positions.
        self._counted = 0
        self._of = (0, 0)
        for number, message in enumerate(messages):
            if isinstance(message, ModelResponse):
                self._cut(number)
                if count := count_of(message):
                    self._counted, self._of = count, (self.first, number + 1)
        self._cut(len(messages))

    def _cut(self, end: int) -> None:
        """Cut for the request that ends before a position."""
        self.size = self._size(end)
        if self._most is None or self.size <= self._most:
            return
        spare = self.size - int(self._most * _SLACK)
        later = [number for number in self._prompts if self.first < number < end]
        start = self._ends[self.first]
        self.first = next((n for n in later if self._ends[n] - start >= spare), later[-1] if later else self.first)
        self.size = self._size(end)

    def _size(self, end: int) -> int:
        ends, (counted_from, counted_to) = self._ends, self._of
        if self.first >= counted_to:
            return ends[end] - ends[self.first]
        left_out = ends[self.first] - ends[counted_from]
        return max(self._counted - left_out, 0) + ends[end] - ends[counted_to]


def prompts_in(messages: Sequence[ModelMessage]) -> list[int]:
    """The positions of user prompts, without those in a request with returns of tools."""
    return [
        number
        for number, message in enumerate(messages)
        if isinstance(message, ModelRequest)
        and any(isinstance(part, UserPromptPart) for part in message.parts)
        and not any(map(is_return, message.parts))
    ]


def checked_keep(keep: object) -> Keep | None:
    """The checked `Keep`, or None.

    Raises:
        UserError: It is something else.
    """
    if keep is None or (callable(getattr(keep, 'first', None)) and not isinstance(keep, type)):
        return keep  # type: ignore[return-value]
    raise UserError(f'keep must be Last(count), Fit(share) or None, not {keep!r:.100}')
