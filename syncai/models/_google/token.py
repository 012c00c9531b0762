"""The bearer token of Google Cloud, from google-auth."""

from __future__ import annotations

import asyncio
import functools
import os
import weakref
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol

from ..._bridge import call_in_thread
from ...exceptions import AuthenticationError, MissingKeyError, ModelConnectionError, UserError
from ...settings import HttpOptions
from .errors import LOGIN

_SCOPE = 'https://www.googleapis.com/auth/cloud-platform'


class GoogleCredentials(Protocol):
    """The interface of credentials of google-auth: a token, and its renewal."""

    token: Any

    @property
    def valid(self) -> bool:
        """Whether there is a token that has not expired."""
        ...

    def refresh(self, request: Any) -> None:
        """Fetch a token by way of `request`, a callable that sends HTTP requests."""
        ...


class CloudToken:
    """A token, fetched in a worker thread on first use, and again shortly before it expires.

    Args:
        credentials: The credentials; None for those that google-auth finds.
    """

    def __init__(self, credentials: GoogleCredentials | None = None) -> None:
        # Written by the worker thread under the lock of its loop; there is one loop at a time, and a new one after a
        # fork, if nobody would release the lock of the old one.
        self._credentials = credentials
        self._locks: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = weakref.WeakKeyDictionary()

    async def headers(self, http: HttpOptions, **context: Any) -> dict[str, str]:
        """The headers that carry the token.

        Args:
            http: The proxy and the certificates by which to fetch it.
            context: Attributes for errors: `model_name`, `provider`.

        Raises:
            MissingKeyError: There are no credentials.
            AuthenticationError: Google gave no token for them.
            ModelConnectionError: Google could not be reached.
        """
        async with self._locks.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
            if self._credentials is None or not self._credentials.valid:
                failure = await call_in_thread(self._fetch, http, context)
                if failure is not None:
                    raise failure
        credentials: Any = self._credentials
        payer = getattr(credentials, 'quota_project_id', None)
        return {'authorization': f'Bearer {credentials.token}', **({'x-goog-user-project': payer} if payer else {})}

    def _fetch(self, http: HttpOptions, context: dict[str, Any]) -> Exception | None:
        """In a worker thread: fetch a token; returns an error without google-auth's own errors in it."""
        errors: Any = import_module('google.auth.exceptions')
        request, close = _sender(http)
        try:
            if self._credentials is None:
                auth: Any = import_module('google.auth')
                self._credentials, _ = auth.default(scopes=[_SCOPE], request=request)
            self._credentials.refresh(request)
        except errors.DefaultCredentialsError as error:
            return MissingKeyError(f'No credentials for Google Vertex AI ({error}): {LOGIN}')
        except errors.GoogleAuthError as error:
            message = str(error.args[0] if error.args else error)
            if error.retryable or isinstance(error, errors.TransportError):
                return ModelConnectionError(f'cannot fetch a token of Google Cloud: {message}', **context)
            return AuthenticationError(401, body=message, hint=f'Google gave no token: {LOGIN}', **context)
        finally:
            close()
        return None


def _sender(http: HttpOptions) -> tuple[Any, Callable[[], None]]:
    """The transport of google-auth, and the function that closes it."""
    if http.cert is None and isinstance(http.verify, bool | str | os.PathLike):
        request: Any = import_module('google.auth.transport.requests').Request()
        request.session.verify = http.verify if isinstance(http.verify, bool) else os.fspath(http.verify)
        if http.proxy:
            request.session.proxies = {'https': http.proxy}
        return request, request.session.close
    from ..._transport.certificates import tls_of

    urllib3: Any = import_module('urllib3')  # a dependency of requests that takes a context
    make = functools.partial(urllib3.ProxyManager, http.proxy) if http.proxy else urllib3.PoolManager
    pool = make(ssl_context=tls_of(http))
    return import_module('google.auth.transport.urllib3').Request(pool), pool.clear


_default = CloudToken()


def cloud_token(credentials: GoogleCredentials | None) -> CloudToken:
    """The token of these credentials; all models of the process share that of the default credentials.

    Raises:
        UserError: google-auth is not installed, or these are no credentials of it.
    """
    if not _is_installed():
        raise UserError("google-vertex needs google-auth: pip install 'syncai-client[vertex]'")
    if credentials is None:
        return _default
    if not all(hasattr(credentials, name) for name in ('token', 'valid', 'refresh')):
        raise UserError(f'credentials must be credentials of google-auth, not {type(credentials).__name__}')
    return CloudToken(credentials)


def _is_installed() -> bool:
    try:
        return find_spec('google.auth') is not None and find_spec('requests') is not None
    except ModuleNotFoundError:  # not even the namespace
        return False
