"""Prices beside the counts of tokens: of an answer, of a run, and of a usage."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from .._base.other_names import OtherNames
from ..exceptions import UserError
from .table import price_of

if TYPE_CHECKING:
    from ..messages import ModelMessage, ModelResponse
    from ..usage import Usage

__all__ = ['Answers', 'Price', 'price_of_answers', 'price_of_run', 'Priced', 'PricedCounts']


class Price(Decimal):
    """An amount of US dollars. A call returns the amount itself, since the price of a result was a method before."""

    def __call__(self) -> Decimal:
        """The price."""
        return self


class Priced(OtherNames):
    """An object with a price: an answer of a model."""

    __slots__ = ()

    @property
    def price(self) -> Price | None:
        """The price in US dollars, or None if it is not known.

        Raises:
            UserError: The extra `prices` is not installed.
        """
        return price_of_answers([cast('ModelResponse', self)])


class Answers(NamedTuple):
    """Where the price of a usage comes from: the answers that it counts, and what was used before them."""

    responses: Sequence[ModelResponse]
    before: Usage | None = None


class PricedCounts(OtherNames):
    """Counts of a usage, which may know their price, or its source: then the price is looked up on access.

    Bare counts do not name their model, so they have no known price unless they are zero.
    """

    __slots__ = ('_source',)
    _source: Answers | Decimal | None

    @property
    def price(self) -> Price | None:
        """The price in US dollars of the usage of a result or a stream; None if that of one request is not known.

        Raises:
            UserError: The extra `prices` is not installed.
        """
        own, before = self._own_price(), self._source.before if isinstance(self._source, Answers) else None
        if own is None or before is None or not before.has_values():
            return own
        return None if before.price is None else Price(own + before.price)

    def _own_price(self) -> Price | None:
        """The same price, without that of the usage before the run."""
        source = self._source
        if isinstance(source, Decimal):
            return Price(source)
        if source is not None:
            return price_of_answers(source.responses)
        return None if cast('Usage', self).has_values() else Price(0)

    def _priced(self, source: Answers | Decimal | None) -> Any:
        object.__setattr__(self, '_source', source)
        return self


def price_of_answers(messages: Sequence[ModelMessage]) -> Price | None:
    """The price of all answers among these, 0 if there is none, or None if that of one is not known."""
    if all(message.kind == 'request' for message in messages):
        return Price(0)
    price = price_of(messages)
    return None if price is None else Price(price)


def price_of_run(usage: Usage, messages: Sequence[ModelMessage]) -> Price | None:
    """The price of a run: of its usage since it began, or of its messages if its usage is a bare count.

    Raises:
        UserError: The extra is not installed.
    """
    return price_of_answers(messages) if usage._source is None else usage._own_price()


def sum_of_prices(left: PricedCounts, right: PricedCounts) -> Decimal | None:
    """The price of both together, or None if one of them is not known; the extra need not be installed."""
    if left._source is right._source is None:
        return None
    try:
        prices = left.price, right.price
    except UserError:
        return None
    return None if prices[0] is None or prices[1] is None else prices[0] + prices[1]
