"""Requests under budgets: this charges the requests of models that do not charge budgets themselves."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

from ..._prices.payments import Payment, payments
from ...messages import ModelMessage, ModelResponse
from ...parameters import ModelRequestParameters
from ...settings import ModelSettings, merge_settings
from .._interface import Model, StreamedResponse

__all__ = ['ask', 'ask_stream']


def ask(
    model: Model,
    messages: Sequence[ModelMessage],
    settings: ModelSettings | None,
    parameters: ModelRequestParameters,
) -> Awaitable[ModelResponse]:
    """The whole answer of a model."""
    payment = _payment(model, messages, settings, parameters)
    if payment is None:
        return model.request(messages, settings, parameters)
    return _paid(payment, model, messages, settings, parameters)


async def _paid(
    payment: Payment,
    model: Model,
    messages: Sequence[ModelMessage],
    settings: ModelSettings | None,
    parameters: ModelRequestParameters,
) -> ModelResponse:
    async with payment.paying() as attempt:
        response = await model.request(messages, settings, parameters)
        await attempt.settle(response)
        return response


def ask_stream(
    model: Model,
    messages: Sequence[ModelMessage],
    settings: ModelSettings | None,
    parameters: ModelRequestParameters,
) -> AbstractAsyncContextManager[StreamedResponse]:
    """The answer of a model as it arrives."""
    payment = _payment(model, messages, settings, parameters)
    if payment is None:
        return model.request_stream(messages, settings, parameters)
    return _paid_stream(payment, model, messages, settings, parameters)


@asynccontextmanager
async def _paid_stream(
    payment: Payment,
    model: Model,
    messages: Sequence[ModelMessage],
    settings: ModelSettings | None,
    parameters: ModelRequestParameters,
) -> AsyncIterator[StreamedResponse]:
    async with payment.paying() as attempt, model.request_stream(messages, settings, parameters) as stream:
        try:
            yield stream
        finally:
            attempt.leave(stream.get())


def _payment(
    model: Model,
    messages: Sequence[ModelMessage],
    settings: ModelSettings | None,
    parameters: ModelRequestParameters,
) -> Payment | None:
    if payments.of is None or model.pays_itself:
        return None
    merged = partial(merge_settings, model.settings, settings)
    return payments.of(model.system, model.model_name, messages, merged, parameters)
