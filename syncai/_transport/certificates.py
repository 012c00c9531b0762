"""The trusted authorities of TLS, and the client certificate for servers that request one.

The usual list of authorities takes some 30 ms to load. A worker thread loads it while the name is looked up and the
socket is opened, so no other stream of the loop waits for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pathlib
import ssl
from typing import TYPE_CHECKING

from .._base.system import is_out_of_descriptors
from ..exceptions import UserError

if TYPE_CHECKING:
    from ..settings import ClientCertificate, HttpOptions

__all__ = ['begin_loading', 'tls_of']

_Key = tuple[bool | str | ssl.SSLContext, tuple[str, ...]]  # the trusted authorities, and the client certificate
_MOST = 16

_contexts: dict[_Key, ssl.SSLContext] = {}  # any thread adds and removes whole entries, the oldest first
_loading: dict[tuple[asyncio.AbstractEventLoop, _Key], asyncio.Future[None]] = {}  # each is of the thread of its loop


def begin_loading(options: HttpOptions, *, to_proxy: bool = False) -> None:
    """Load the result of `tls_of` in a worker thread of the loop, unless it is loaded or being loaded."""
    key = _key(options, to_proxy=to_proxy)
    loading = loop, _ = asyncio.get_running_loop(), key
    if key in _contexts or loading in _loading or isinstance(key[0], ssl.SSLContext):
        return
    workers = getattr(loop, 'workers', None)
    if workers is not None and workers.are_busy:
        return  # then the loop loads it: a connection must not wait for functions of the user
    _loading[loading] = future = loop.run_in_executor(None, _load, key)
    future.add_done_callback(lambda _: _loading.pop(loading))


async def tls_of(options: HttpOptions, *, to_proxy: bool = False) -> ssl.SSLContext:
    """The TLS context of connections to a server; the same for equal options.

    Args:
        options: The trusted authorities, and the client certificate.
        to_proxy: Whether the server is a proxy, which does not get that certificate.

    Raises:
        UserError: A file cannot be read; names the option.
    """
    key = _key(options, to_proxy=to_proxy)
    if (future := _loading.get((asyncio.get_running_loop(), key))) is not None:
        await asyncio.shield(future)  # others wait for it too
    return _context(key)


def _key(options: HttpOptions, *, to_proxy: bool) -> _Key:
    trust = os.fspath(options.verify) if isinstance(options.verify, os.PathLike) else options.verify
    return trust, () if to_proxy else _parts(options.cert)


def _load(key: _Key) -> None:
    with contextlib.suppress(Exception):  # raised again where the context is needed, for each request that needs it
        _context(key)


def _parts(certificate: ClientCertificate | None) -> tuple[str, ...]:
    """The paths of the certificate and of its key, and the password, as far as they are given."""
    parts = certificate if isinstance(certificate, tuple) else (certificate,) if certificate is not None else ()
    return tuple(os.fspath(part) for part in parts)


def _context(key: _Key) -> ssl.SSLContext:
    if (cached := _contexts.get(key)) is not None:
        return cached
    verify, certificate = key
    context = verify if isinstance(verify, ssl.SSLContext) else _trusting(verify)
    if certificate:
        _identify(context, certificate)
    context.set_alpn_protocols(['http/1.1'])  # for clients only
    context = _contexts.setdefault(key, context)
    for oldest in list(_contexts)[:-_MOST]:
        _contexts.pop(oldest, None)
    return context


def _trusting(verify: bool | str) -> ssl.SSLContext:
    path = os.environ.get('SSL_CERT_FILE') or os.environ.get('SSL_CERT_DIR')
    try:
        return _certificates_at(verify) if isinstance(verify, str) else _usual() if verify else _anybody()
    except OSError as error:
        if is_out_of_descriptors(error):
            raise
        log = os.environ.get('SSLKEYLOGFILE')
        if log and error.filename == log:  # only errors about that file have a name
            raise UserError(f'SSLKEYLOGFILE={log!r} cannot be written: {error.strerror}') from None
        variable = 'SSL_CERT_FILE' if os.environ.get('SSL_CERT_FILE') else 'SSL_CERT_DIR'
        source = f'HttpOptions.verify={verify!r}' if isinstance(verify, str) else f'{variable}={path!r}'
        raise UserError(f'{source}: the certificates cannot be read: {error}') from None


def _usual() -> ssl.SSLContext:
    """The authorities that httpx, requests and OpenSSL trust: files named by the environment, else Mozilla's list."""
    if path := os.environ.get('SSL_CERT_FILE'):
        return ssl.create_default_context(cafile=path)
    if path := os.environ.get('SSL_CERT_DIR'):
        if not any(map(os.path.isdir, path.split(os.pathsep))):  # OpenSSL would then trust nobody, and say nothing
            raise NotADirectoryError('it names no directory')
        return ssl.create_default_context(capath=path)
    import certifi

    return ssl.create_default_context(cafile=certifi.where())


def _anybody() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _certificates_at(path: str) -> ssl.SSLContext:
    directory = pathlib.Path(path).is_dir()
    return ssl.create_default_context(cafile=None if directory else path, capath=path if directory else None)


def _identify(context: ssl.SSLContext, certificate: tuple[str, ...]) -> None:
    file, key, password = (*certificate, None, None)[:3]
    assert file is not None
    try:
        # Without a password OpenSSL would ask for one on the terminal and block the loop.
        context.load_cert_chain(file, key, password or (lambda: b''))
    except (OSError, ValueError) as error:  # ValueError: a password that is too long
        if is_out_of_descriptors(error):
            raise
        reason = getattr(error, 'reason', None) or getattr(error, 'strerror', None) or error
        raise UserError(
            f'HttpOptions.cert={file!r}: the certificate and its key cannot be loaded ({reason}): give the file of '
            'both, or (certificate, key), or (certificate, key, password)'
        ) from None
