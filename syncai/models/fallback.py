"""Several models that are asked in order, until one of them answers."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import replace
from functools import cached_property
from typing import Any, TypeAlias

from .._base.system import warn_in_log
from .._bridge.caller import call_user_function
from ..exceptions import (
    AgentRunError,
    AllModelsFailed,
    CallCancelled,
    DeadlineExceeded,
    ModelAPIError,
    ModelTimeoutError,
    SyncAIError,
    UnexpectedModelBehavior,
    UserError,
)
from ..messages import ModelMessage, ModelResponse, ModelResponseStreamEvent
from ..parameters import ModelRequestParameters, ResultSchema
from ..settings import ModelSettings
from ..usage import Usage
from ._catalog.known_names import KnownModelName
from ._http.error_endings import failure_of
from ._infer import check_model, infer_model
from ._interface import Model, Offer, OuterStream, StreamedResponse
from ._route.payment import ask, ask_stream

__all__ = ['FallbackModel', 'FallbackOn']

FallbackOn: TypeAlias = type[Exception] | Callable[[Any], bool | Awaitable[bool]]
"""A class of errors, or a function of an error or of a response that decides whether the next model is asked."""

_NEVER = (UserError, CallCancelled, DeadlineExceeded)  # no other model can help


class FallbackModel(Model):
    """Several models as one: each is asked in turn until one answers.

    A model is left for the next one when it fails with one of the errors in `fallback_on`, after the retries of its own
    (`HttpOptions.max_retries`); misuse (`UserError`), a stopped call and a passed deadline are raised at once. Every
    call begins with the first model again: nothing is remembered of earlier failures.

    A stream is given to the caller with its first event. One that fails before it is begun again with the next model;
    one that fails later raises its error, since what was read cannot be taken back. So functions that judge answers do
    not see streamed ones, except streams that end without any event.

    The usage of the answer includes that of the answers that were given up, and counts one request for each model that
    was asked. `model_name` and `provider_name` of the answer are those of the model that gave it. A `timeout` in the
    settings of one model bounds what that model may take; the `timeout` of the call bounds all of them together.

    Args:
        model: The model that is asked first: a `Model`, or a name such as `'openai:gpt-5.4-mini'`, whose key is looked
            for at the first call.
        fallbacks: The models that are asked after it, in order.
        fallback_on: What leads to the next model: classes of errors and functions, alone or in a sequence. A
            function, sync or async, is called with each error and returns whether it is such a one. A function whose
            parameter is called `response`, or annotated as `ModelResponse`, is called with each whole answer instead
            and returns whether to give it up. The functions run where the caller is, as tools do.

    Raises:
        UserError: A model is unknown, or `fallback_on` holds something that never leads to another model.
    """

    pays_itself = True

    def __init__(
        self,
        model: Model | KnownModelName | str,
        *fallbacks: Model | KnownModelName | str,
        fallback_on: FallbackOn | Sequence[FallbackOn] = (ModelAPIError,),
    ) -> None:
        self.models_or_names = (model, *fallbacks)
        for one in self.models_or_names:
            check_model(one)
        rules = tuple(fallback_on) if isinstance(fallback_on, Sequence) else (fallback_on,)
        for rule in rules:
            _check(rule)
        self._kinds = tuple(rule for rule in rules if isinstance(rule, type))
        functions = [rule for rule in rules if not isinstance(rule, type)]
        self._judges_of_answers = [rule for rule in functions if _judges_answers(rule)]
        self._judges_of_errors = [rule for rule in functions if rule not in self._judges_of_answers]

    @cached_property
    def models(self) -> tuple[Model, ...]:
        """The models, in order; those that were given by their names are made at the first look, with their keys."""
        return tuple(map(infer_model, self.models_or_names))

    @cached_property
    def silence_limits(self) -> tuple[float, float] | None:  # type: ignore[override]
        """The longest of those of the models."""
        limits = [one.silence_limits for one in self.models if one.silence_limits is not None]
        return (max(first for first, _ in limits), max(idle for _, idle in limits)) if limits else None

    @cached_property
    def reader_timeout(self) -> float | None:  # type: ignore[override]
        """The longest of those of the models."""
        return max((one.reader_timeout for one in self.models if one.reader_timeout is not None), default=None)

    @property
    def model_name(self) -> str:
        """The names of all models, the first first."""
        return f'fallback:{",".join(model.model_name for model in self.models)}'

    @property
    def system(self) -> str:
        """`fallback`; an answer has the name of its own provider."""
        return 'fallback'

    def holds_schema(self, schema: ResultSchema) -> bool:
        """Whether each of the models does."""
        return all(model.holds_schema(schema) for model in self.models)

    async def request(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """The whole answer of the first model that gives one.

        Raises:
            AllModelsFailed: None did; holds the error of each.
        """
        failures = _Failures(self)
        for model in self.models:
            try:
                async with _own_timeout(model):
                    response = await ask(model, messages, model_settings, model_request_parameters)
            except Exception as error:
                await failures.add(model, error)
                continue
            if not await failures.give_up(model, response):
                return replace(response, usage=failures.spent + response.usage)
        raise failures.of_all()

    @asynccontextmanager
    async def request_stream(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> AsyncIterator[StreamedResponse]:
        """The answer of the first model whose stream begins, as it arrives.

        Raises:
            AllModelsFailed: None began; holds the error of each.
        """
        failures = _Failures(self)
        for model in self.models:
            async with AsyncExitStack() as stack:
                answer = ask_stream(model, messages, model_settings, model_request_parameters)
                try:
                    stream = await stack.enter_async_context(_begun(model, answer, failures.spent))
                except Exception as error:
                    await failures.add(model, error)
                    continue
                if stream.is_empty and await failures.give_up(model, stream.own_answer()):
                    continue
                yield stream
                return
        raise failures.of_all()

    async def chooses(self, error: Exception) -> bool:
        """Whether the next model is asked after an error."""
        if isinstance(error, _NEVER):
            return False
        if isinstance(error, self._kinds):
            return True
        if isinstance(error, AllModelsFailed):  # of a `FallbackModel` among the models
            return all([await self.chooses(one) for one in error.errors])
        return await _any_true(self._judges_of_errors, error)

    async def gives_up(self, response: ModelResponse) -> bool:
        """Whether the next model is asked after an answer."""
        return await _any_true(self._judges_of_answers, response)

    def __repr__(self) -> str:
        return f'FallbackModel({", ".join(map(repr, self.__dict__.get("models", self.models_or_names)))})'


class _Failures:
    """The errors and the usage of the models that were asked in one call so far; the loop thread's own."""

    def __init__(self, fallback: FallbackModel) -> None:
        self._fallback = fallback
        self._errors: list[Exception] = []
        self.spent = Usage()

    async def add(self, model: Model, error: Exception) -> None:
        """Record an error after which the next model is asked; raise any other."""
        if not await self._fallback.chooses(error):
            raise _with_spent(error, self.spent)
        self._note(model, error, _spent_on(error))

    async def give_up(self, model: Model, response: ModelResponse) -> bool:
        """Whether an answer is given up; records its usage then."""
        error = failure_of(response)
        if await self._fallback.gives_up(response):
            error = UnexpectedModelBehavior(
                f'{model.system}:{model.model_name} answered (finish_reason: {response.finish_reason}), '
                'and `fallback_on` gave the answer up; it is in `partial`',
                model_name=response.model_name,
                provider=response.provider_name,
                partial=response,
            )
        elif error is None or not await self._fallback.chooses(error):
            return False
        self._note(model, error, response.usage)
        return True

    def of_all(self) -> AllModelsFailed:
        """The error that holds those of all models."""
        models, errors = self._fallback.models, self._errors
        reasons = '; '.join(
            f'{model.system}:{model.model_name}: {type(error).__name__}: {str(error).partition(chr(10))[0]:.300}'
            for model, error in zip(models, errors, strict=True)
        )
        return AllModelsFailed(
            f'All {len(models)} models of the FallbackModel failed: {reasons}',
            errors,
            model_name=self._fallback.model_name,
            provider=self._fallback.system,
            partial=getattr(errors[-1], 'partial', None),
        )

    def _note(self, model: Model, error: Exception, usage: Usage) -> None:
        self._errors.append(error)
        self.spent += _counted(usage)
        others = self._fallback.models[len(self._errors) :]
        following = f'asking {others[0].system}:{others[0].model_name}' if others else 'no model is left'
        # Without the error's message: it may quote the conversation.
        warn_in_log('%s:%s failed (%s): %s', model.system, model.model_name, type(error).__name__, following)


class _BegunStream(OuterStream):
    """The stream of one of the models, read up to its first events."""

    def __init__(self, stream: StreamedResponse, spent: Usage) -> None:
        super().__init__(stream)
        self._spent = spent
        self._rest = stream.batches()
        self._first: list[ModelResponseStreamEvent] | None = None

    async def begin(self) -> None:
        """Wait for the first events, or for the end of a stream without any."""
        self._first = await anext(self._rest, None)

    def hand_over(self, offer: Offer) -> None:
        """Have the model's own stream give its batches to `offer`, from the second on."""
        self._stream.hand_over(offer)

    def own_answer(self) -> ModelResponse:
        """The answer so far, with the usage of this model alone."""
        return self._stream.get()

    @property
    def is_empty(self) -> bool:
        """Whether the stream ended without any event."""
        return self._first is None

    async def batches(self) -> AsyncIterator[list[ModelResponseStreamEvent]]:
        """The events in lists, as the model's own stream gives them."""
        if self._first is None:
            return
        yield self._first
        try:
            async with aclosing(self._rest) as rest:  # type: ignore[type-var]
                async for batch in rest:
                    yield batch
        except AgentRunError as error:
            raise _with_spent(error, self._spent) from None

    def get(self) -> ModelResponse:
        """The answer as far as it has arrived, with the usage of those that were given up before it."""
        return replace(self.own_answer(), usage=self.usage())

    def usage(self) -> Usage:
        """The usage of this model and those before it, as far as the providers have reported."""
        return self._spent + self._stream.usage()


@asynccontextmanager
async def _begun(
    model: Model, answer: AbstractAsyncContextManager[StreamedResponse], spent: Usage
) -> AsyncIterator[_BegunStream]:
    async with _own_timeout(model), answer as opened:
        stream = _BegunStream(opened, spent)
        await stream.begin()
        yield stream


@asynccontextmanager
async def _own_timeout(model: Model) -> AsyncIterator[None]:
    """Within the block, the `timeout` in the model's own settings holds."""
    limit = (model.settings or {}).get('timeout')
    try:
        async with asyncio.timeout(limit) as scope:
            yield
    except TimeoutError as error:
        if limit is None or not scope.expired() or isinstance(error, SyncAIError):
            raise
        raise ModelTimeoutError(
            f'The model {model.model_name!r} did not answer within the `timeout` of {limit:g} s in its own settings',
            phase='call',
            limit=limit,
            model_name=model.model_name,
            provider=model.system,
        ) from None


def _with_spent(error: Exception, spent: Usage) -> Exception:
    """The error, with the earlier usage added to that of its partial answer."""
    if isinstance(error, AgentRunError) and error.partial is not None:
        error.partial = replace(error.partial, usage=spent + error.partial.usage)
    return error


def _spent_on(error: Exception) -> Usage:
    if isinstance(error, AllModelsFailed):
        return sum((_counted(_spent_on(one)) for one in error.errors), Usage())
    partial = error.partial if isinstance(error, AgentRunError) else None
    return partial.usage if partial else Usage()


def _counted(usage: Usage) -> Usage:
    """The usage, with at least one request, since a failed one was sent too."""
    return replace(usage, requests=max(1, usage.requests))


async def _any_true(judges: Sequence[Callable[[Any], Any]], of: object) -> bool:
    for judge in judges:
        if await call_user_function(judge, of):
            return True
    return False


def _judges_answers(function: Callable[..., object]) -> bool:
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # a function without a signature, such as some in C
        return False
    return bool(parameters) and (parameters[0].name == 'response' or 'ModelResponse' in str(parameters[0].annotation))


def _check(rule: object) -> None:
    if isinstance(rule, type):
        if not issubclass(rule, Exception):
            raise UserError(f'fallback_on holds {rule.__name__}, which is no class of errors')
        if issubclass(rule, _NEVER):
            raise UserError(f'fallback_on holds {rule.__name__}, which never leads to another model')
    elif not callable(rule):
        raise UserError(f'fallback_on takes classes of errors and functions, not {rule!r:.100}')
