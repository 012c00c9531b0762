"""The base of models behind an HTTP API, for every wire format."""

from __future__ import annotations

import copy
import functools
from abc import abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..._prices.payments import payments
from ...content import UrlContent
from ...exceptions import AgentRunError, ModelHTTPError, UserError
from ...limits import limits_in_force
from ...messages import ModelMessage, ModelResponse
from ...parameters import ModelRequestParameters
from ...settings import HttpOptions, ModelSettings, check_settings, merge_settings
from .. import check_allow_model_requests
from .._catalog.address import is_loopback, resolve_base_url, split_query, with_query
from .._catalog.providers import Provider
from .._interface import Model, StreamedResponse
from ..keys import ApiKey
from .answers import StreamDecoder, check_said_something, parse_json, unexpected_shape
from .downloads import with_downloads
from .estimate import estimated_tokens
from .hidden_arguments import hiding_arguments
from .keys import KeyFunction, resolve_key
from .own_ids import with_own_ids
from .parts import PartsBuilder
from .requests import request_json
from .stream import HttpStreamedResponse, WholeAnswer, WholeStream
from .wire import events_reader, explain, request_type, shared_clients

if TYPE_CHECKING:
    from ..._transport.client import HttpResponse
    from ..._transport.event_stream import EventStream
    from ..._transport.request import HttpRequest
    from .batches import Batches


class HttpModel(Model):
    """A model behind an HTTP API; a wire format is a subclass that writes requests and reads answers.

    Args:
        model_name: The model, without its provider.
        provider: The row of the provider.
        base_url: The API's address; None takes the environment's, else the provider's own.
        api_key: The key, or a function that gives it; None takes the environment's.
        default_query: Query parameters of every request, besides those in `base_url`.
        alias_of: The model behind the name, whose rules apply; None takes the name itself.
        settings: Settings for every call.
        http: How to connect.

    Raises:
        MissingKeyError: No key was given and none is set.
        UserError: An argument is wrong.
    """

    pays_itself = True

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if '__init__' in vars(cls):
            cls.__init__ = hiding_arguments(cls.__init__)  # type: ignore[method-assign]

    def __init__(
        self,
        model_name: str,
        *,
        provider: Provider,
        base_url: str | None,
        api_key: ApiKey | None,
        default_query: Mapping[str, object] | None = None,
        alias_of: str | None = None,
        settings: ModelSettings | None,
        http: HttpOptions,
    ) -> None:
        if not isinstance(model_name, str) or not model_name.isprintable() or not model_name.strip('. '):
            raise UserError(f"model_name must be a name such as 'gpt-5.4-mini', not {model_name!r}")
        if base_url is None and model_name.startswith(f'{provider.name}:'):
            bare = model_name.partition(':')[2]
            raise UserError(f'model_name is {model_name!r}: the provider is known here, so write {bare!r} alone')
        if alias_of is not None and (not isinstance(alias_of, str) or not alias_of.strip()):
            raise UserError(
                f"alias_of must be None or the name of a model such as 'claude-sonnet-5-5', not {alias_of!r}"
            )
        if not isinstance(http, HttpOptions):
            raise UserError(f'http must be HttpOptions(...), not {type(http).__name__}')
        check_settings(settings)
        self._model_name = model_name
        self._known_as = alias_of or model_name
        self._provider = provider
        self._base_url, self._query = split_query(resolve_base_url(provider, base_url), default_query)
        key = resolve_key(provider, model_name, api_key, self._base_url)
        self._key_function = key if isinstance(key, KeyFunction) else None
        self._headers = self._fixed_headers(None if isinstance(key, KeyFunction) else key)
        self._own_headers: frozenset[str] = frozenset()  # the names of the user's settings
        self._http = http
        self.silence_limits = (http.first_event_timeout, http.idle_timeout)
        self.reader_timeout = http.reader_timeout
        self.settings = settings

    # --- implemented by each wire format ------------------------------------------------------------------------------

    def _auth_headers(self, key: str) -> dict[str, str]:
        """The headers that carry the key."""
        name = self._provider.key_header
        return {name: f'Bearer {key}' if name == 'authorization' else key}

    @abstractmethod
    def _path(self, *, stream: bool) -> str:
        """The path after the base URL."""

    @abstractmethod
    def _body(
        self,
        messages: Sequence[ModelMessage],
        settings: ModelSettings,
        parameters: ModelRequestParameters,
        *,
        stream: bool,
    ) -> dict[str, Any]:
        """The JSON of the request, from the merged settings; pure."""

    @abstractmethod
    def _response(self, body: dict[str, Any], *, request_id: str | None, attempts: int) -> ModelResponse:
        """The answer in a decoded body; pure."""

    @abstractmethod
    def _decoder(self, builder: PartsBuilder, settings: ModelSettings) -> StreamDecoder:
        """A decoder for one streamed answer to a request with these settings."""

    @abstractmethod
    def _refined(self, error: ModelHTTPError) -> AgentRunError:
        """The error in a more exact class."""

    def _is_answer(self, error: ModelHTTPError) -> bool:
        """Whether the body of an error holds an answer."""
        del error
        return False

    def _wants_bytes(self, item: UrlContent) -> bool:
        """Whether syncai must fetch a file: the provider takes it, but cannot fetch it from its address."""
        del item
        return False

    def _completed(self, request: HttpRequest) -> HttpRequest:
        """The request, completed with options of the transport and the authorization of each attempt."""
        if self._key_function is None or not request.headers.keys().isdisjoint(
            ('authorization', self._provider.key_header)
        ):
            return request
        return replace(request, authorize=self._with_key, account=self._key_function.account)

    async def _with_key(self, request: HttpRequest) -> HttpRequest:
        """The request with the current key."""
        assert self._key_function is not None
        key = await self._key_function.key()
        return replace(request, headers={**request.headers, **self._auth_headers(key)})

    def _request_headers(self, settings: ModelSettings, body: Mapping[str, Any]) -> Mapping[str, str]:
        """Headers that depend on the settings or the content of the request."""
        del settings, body
        return {}

    # --- the model ----------------------------------------------------------------------------------------------------

    @property
    def model_name(self) -> str:
        """The model's name, without its provider."""
        return self._model_name

    @property
    def system(self) -> str:
        """The provider's name."""
        return self._provider.name

    @property
    def base_url(self) -> str:
        """The address that requests go to, without the path of the endpoint."""
        return self._base_url

    @property
    def has_transport(self) -> bool:
        """Whether requests use the user's transport."""
        return self._http.transport is not None

    def at(self, base_url: str) -> Model:
        """A copy of the model for the server at this address, without a key."""
        other = copy.copy(self)
        other._base_url = base_url
        other._key_function = None
        secret = ('authorization', *self._auth_headers(''))
        other._headers = {name: value for name, value in self._headers.items() if name not in secret}
        return other

    # --- batches ------------------------------------------------------------------------------------------------------

    @property
    def _batches(self) -> Batches | None:
        """The batch API of the provider, or None if no known one exists."""
        return None

    async def _whole_request(
        self, messages: Sequence[ModelMessage], settings: ModelSettings, parameters: ModelRequestParameters
    ) -> tuple[dict[str, Any], dict[str, str]]:
        """The JSON of a request with merged settings for a whole answer, and the headers that it needs besides those of
        the model.
        """
        messages = await with_downloads(messages, self._wants_bytes, self._http)
        body = self._body(with_own_ids(messages), settings, parameters, stream=False)
        return body, {**self._request_headers(settings, body), **_extra_headers(settings)}

    def _plain_request(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> HttpRequest:
        """A request to another endpoint of the API; `path` may be a whole address."""
        if not is_loopback(self._base_url):
            check_allow_model_requests()
        own = _extra_headers(self.settings or {})
        request = request_type()(
            method=method,
            url=with_query(path if '://' in path else f'{self._base_url}{path}', self._query),
            headers={**self._headers, 'accept': '*/*', **own, **headers},
            body=body,
            model_name=self._model_name,
            provider=self.system,
            private=self._own_headers.union(own),
        )
        return self._completed(request)

    def _read_whole(self, body: dict[str, Any], settings: ModelSettings) -> ModelResponse:
        """The answer in the body of a response to a request with these merged settings."""
        del settings
        return self._read(body, None, 1)

    def _answer_in(self, error: ModelHTTPError) -> dict[str, Any]:
        """The body of an error that holds an answer; else raises the error."""
        if self._is_answer(error) and isinstance(error.body, dict):
            return error.body
        raise self._refined(error)

    # --- the answers --------------------------------------------------------------------------------------------------

    async def request(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        """The whole answer."""
        return await self._ask(messages, merge_settings(self.settings, model_settings), model_request_parameters)

    async def _ask(
        self, messages: Sequence[ModelMessage], settings: ModelSettings, parameters: ModelRequestParameters
    ) -> ModelResponse:
        """The whole answer, with merged settings."""
        request = await self._request(messages, settings, parameters, stream=False)
        try:
            answer = await shared_clients()(self._http).send(request)
        except ModelHTTPError as error:
            if self._is_answer(error) and isinstance(error.body, dict):
                return self._read(error.body, error.request_id, error.attempts)
            raise self._failure(error) from None
        return await self._whole(answer.body, answer, request, settings)

    async def _whole(
        self, body: bytes, answer: HttpResponse | EventStream, request: HttpRequest, settings: ModelSettings
    ) -> ModelResponse:
        """The answer in a whole body, or in a body of events: some gateways stream without a request for it."""
        try:
            response = await self._whole_response(body, answer, request, settings)
        except BaseException as error:
            if answer.payment is not None:
                answer.payment.leave(getattr(error, 'partial', None))
            explain(error, answer.hide_keys_in, self)
            raise
        if answer.permit is not None and response.usage.total_tokens is not None:
            answer.permit.settle(response.usage.total_tokens)
        if answer.payment is not None:
            await answer.payment.settle(response)
        return response

    async def _whole_response(
        self, body: bytes, answer: HttpResponse | EventStream, request: HttpRequest, settings: ModelSettings
    ) -> ModelResponse:
        arrived = events_reader()(answer.headers.get('content-type', ''), body, request.decoder)
        if arrived is None:
            answer_body = parse_json(body, self.system, self._model_name)
            return self._read(answer_body, answer.request_id, answer.attempts)
        whole = WholeStream(arrived, answer.request_id, answer.attempts)
        stream = HttpStreamedResponse(whole, self._decoder_with(settings), self._model_name, self.system)
        async for _ in stream.batches():
            pass
        return stream.get()

    def _read(self, body: dict[str, Any], request_id: str | None, attempts: int) -> ModelResponse:
        try:
            response = self._response(body, request_id=request_id, attempts=attempts)
        except (AttributeError, TypeError, KeyError, IndexError) as error:
            what = f'an answer of an unknown shape ({error})'
            raise unexpected_shape(what, body, self.system, self._model_name) from None
        check_said_something(response, body, self._model_name)
        return response

    def request_stream(
        self,
        messages: Sequence[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> AbstractAsyncContextManager[StreamedResponse]:
        """The answer as it arrives; leaving the context closes the connection."""
        return self._ask_stream(messages, merge_settings(self.settings, model_settings), model_request_parameters)

    @asynccontextmanager
    async def _ask_stream(
        self, messages: Sequence[ModelMessage], settings: ModelSettings, parameters: ModelRequestParameters
    ) -> AsyncIterator[StreamedResponse]:
        """The answer as it arrives, with merged settings."""
        request = await self._request(messages, settings, parameters, stream=True)
        try:
            stream = await shared_clients()(self._http).stream(request)
        except ModelHTTPError as error:
            if not (self._is_answer(error) and isinstance(error.body, dict)):
                raise self._failure(error) from None
            yield WholeAnswer(self._read(error.body, error.request_id, error.attempts))
            return
        if stream.whole is not None:
            yield WholeAnswer(await self._whole(stream.whole, stream, request, settings))
            return
        arriving = None
        try:
            arriving = HttpStreamedResponse(stream, self._decoder_with(settings), self._model_name, self.system)
            arriving.payment = stream.payment
            yield arriving
        except Exception as error:
            explain(error, stream.hide_keys_in, self)
            raise
        finally:
            await stream.aclose()
            if stream.payment is not None:  # an answer that was read to its end is already paid
                stream.payment.leave(None if arriving is None else arriving.get())

    def _decoder_with(self, settings: ModelSettings) -> Callable[[PartsBuilder], StreamDecoder]:
        return functools.partial(self._decoder, settings=settings)

    async def _request(
        self,
        messages: Sequence[ModelMessage],
        settings: ModelSettings,
        parameters: ModelRequestParameters,
        *,
        stream: bool,
    ) -> HttpRequest:
        if not is_loopback(self._base_url):
            check_allow_model_requests()
        messages = await with_downloads(messages, self._wants_bytes, self._http)
        body, pay = self._body(with_own_ids(messages), settings, parameters, stream=stream), payments.of
        request = request_type()(
            method='POST',
            url=with_query(f'{self._base_url}{self._path(stream=stream)}', self._query),
            headers=self._headers_with(settings, body, stream),
            body=request_json(body),
            model_name=self._model_name,
            provider=self.system,
            tokens=estimated_tokens(body, settings) if limits_in_force else 0,
            private=self._private_headers(settings),
            payment=pay(self.system, self._known_as, messages, lambda: settings, parameters) if pay else None,
        )
        return self._completed(request)

    def _failure(self, error: ModelHTTPError) -> AgentRunError:
        if self._key_function is not None and error.status_code == 401:
            self._key_function.forget()
        return self._refined(error)

    def _headers_with(self, settings: ModelSettings, body: Mapping[str, Any], stream: bool) -> dict[str, str]:
        accept = 'text/event-stream' if stream else 'application/json'
        headers = {**self._headers, 'accept': accept, **self._request_headers(settings, body)}
        return {**headers, **_extra_headers(settings)}

    def _private_headers(self, settings: ModelSettings) -> frozenset[str]:
        added = settings.get('extra_headers')
        return self._own_headers.union(map(str.lower, added)) if added else self._own_headers

    def _fixed_headers(self, key: str | None) -> dict[str, str]:
        from ... import __version__

        headers = {'content-type': 'application/json', 'user-agent': f'syncai/{__version__}', **self._provider.headers}
        return {**headers, **(self._auth_headers(key) if key else {})}


def _extra_headers(settings: ModelSettings) -> dict[str, str]:
    return {name.lower(): value for name, value in (settings.get('extra_headers') or {}).items()}
