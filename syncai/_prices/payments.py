"""How a request is paid: what the path of a request knows of budgets, which lie above it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractAsyncContextManager

    from ..messages import ModelMessage, ModelResponse
    from ..parameters import ModelRequestParameters

__all__ = ['Attempt', 'Payment', 'payments', 'PaymentOf']


class Attempt(Protocol):
    """The money that one attempt of a request holds; used on the loop thread. Only its first ending counts."""

    def sent(self) -> None:
        """The request is written now: from here on it may be paid for."""

    def release(self) -> None:
        """It ended without an answer: nothing is paid if it was refused, and all that is held if it was sent."""

    def refused(self) -> None:
        """The provider answered with an error, which costs nothing."""

    def leave(self, response: ModelResponse | None) -> None:
        """The answer broke off or was left: what has arrived is paid, or if that is not known, what is held."""

    async def settle(self, response: ModelResponse) -> None:
        """The answer is whole: what it cost is paid. Returns when that is written down."""


class Payment(Protocol):
    """One request that is to be paid, by each of its attempts again."""

    async def reserve(self) -> Attempt:
        """Hold what an attempt may cost.

        Raises:
            BudgetExceeded: It does not fit in a budget.
            StoreError: A store is away whose budgets are closed then.
        """
        ...

    def paying(self) -> AbstractAsyncContextManager[Attempt]:
        """A block that asks a model which is no HTTP API; where it asks one that is, that one pays in its place."""
        ...


class PaymentOf(Protocol):
    """Makes the payment of a request, or None if no budget concerns it.

    `settings` returns those of the model and of the call, merged. It is called only if a budget concerns the request:
    a model that merges them itself need not do it twice.
    """

    def __call__(
        self,
        system: str,
        model_name: str,
        messages: Sequence[ModelMessage],
        settings: Callable[[], Mapping[str, Any]],
        parameters: ModelRequestParameters,
    ) -> Payment | None: ...


class _Payments:
    """`of` is None while there are no budgets, so that a request without them costs one look; replaced whole."""

    __slots__ = ('of',)

    def __init__(self) -> None:
        self.of: PaymentOf | None = None


payments = _Payments()
