"""The payment of a request: the interface between the path of a request and the budgets, which lie above it."""

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
        """Record that the request is written now: from here on it may be billed."""

    def release(self) -> None:
        """End without an answer: nothing is paid if the request was refused, and the whole held amount if it was
        sent.
        """

    def refused(self) -> None:
        """End with an error of the provider, which costs nothing."""

    def leave(self, response: ModelResponse | None) -> None:
        """End with a part of the answer: the arrived part is paid, or if its price is not known, the held amount."""

    async def settle(self, response: ModelResponse) -> None:
        """End with the whole answer: its price is paid. Returns when the store has written it."""


class Payment(Protocol):
    """A request that is paid for, once for each of its attempts."""

    async def reserve(self) -> Attempt:
        """Hold the possible cost of an attempt.

        Raises:
            BudgetExceeded: It does not fit in a budget.
            StoreError: The store of a budget with `on_store_error='closed'` is unavailable.
        """
        ...

    def paying(self) -> AbstractAsyncContextManager[Attempt]:
        """A block around a model that is no HTTP API; if that model calls an HTTP API, the inner request pays
        instead.
        """
        ...


class PaymentOf(Protocol):
    """Returns the payment of a request, or None if no budget concerns it.

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
    """`of` is None while there are no budgets, so that other requests pay for one check only; replaced whole."""

    __slots__ = ('of',)

    def __init__(self) -> None:
        self.of: PaymentOf | None = None


payments = _Payments()
