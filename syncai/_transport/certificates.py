"""What TLS trusts, and the certificate for a server that asks for one."""

from __future__ import annotations

import functools
import os
import pathlib
import ssl
from typing import TYPE_CHECKING

from .._base.system import is_out_of_descriptors
from ..exceptions import UserError

if TYPE_CHECKING:
    from ..settings import ClientCertificate, HttpOptions

__all__ = ['tls_of', 'tls_to_proxy']


def tls_of(options: HttpOptions) -> ssl.SSLContext:
    """What a connection to a server needs; the same for equal options, since loading certificates takes a while.

    Raises:
        UserError: A file cannot be read; names the option.
    """
    return _context(_trust(options), _parts(options.cert))


def tls_to_proxy(options: HttpOptions) -> ssl.SSLContext:
    """The same to a proxy, which is not shown the certificate of the client."""
    return _context(_trust(options), ())


def _trust(options: HttpOptions) -> bool | str | ssl.SSLContext:
    return os.fspath(options.verify) if isinstance(options.verify, os.PathLike) else options.verify


def _parts(certificate: ClientCertificate | None) -> tuple[str, ...]:
    """The paths of the certificate and of its key, and the password, as far as they are given."""
    parts = certificate if isinstance(certificate, tuple) else (certificate,) if certificate is not None else ()
    return tuple(os.fspath(part) for part in parts)


@functools.lru_cache(maxsize=16)
def _context(verify: bool | str | ssl.SSLContext, certificate: tuple[str, ...]) -> ssl.SSLContext:
    context = verify if isinstance(verify, ssl.SSLContext) else _trusting(verify)
    if certificate:
        _identify(context, certificate)
    context.set_alpn_protocols(['http/1.1'])  # a server must not take us for a client of something else
    return context


def _trusting(verify: bool | str) -> ssl.SSLContext:
    try:
        return _certificates_at(verify) if isinstance(verify, str) else _usual() if verify else _anybody()
    except OSError as error:
        if is_out_of_descriptors(error):
            raise
        named = f'HttpOptions.verify={verify!r}' if isinstance(verify, str) else 'SSL_CERT_FILE or SSL_CERT_DIR'
        raise UserError(f'{named}: the certificates cannot be read: {error}') from None


def _usual() -> ssl.SSLContext:
    """What httpx, requests and OpenSSL trust: the files that the environment names, else the list of Mozilla."""
    if path := os.environ.get('SSL_CERT_FILE'):
        return ssl.create_default_context(cafile=path)
    if path := os.environ.get('SSL_CERT_DIR'):
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
        # Without a password OpenSSL would ask for one on the terminal, and the loop wait for the answer.
        context.load_cert_chain(file, key, password or (lambda: b''))
    except (OSError, ValueError) as error:  # ValueError: a password that is too long
        if is_out_of_descriptors(error):
            raise
        reason = getattr(error, 'reason', None) or getattr(error, 'strerror', None) or error
        raise UserError(
            f'HttpOptions.cert={file!r}: the certificate and its key cannot be loaded ({reason}): give the file of '
            'both, or (certificate, key), or (certificate, key, password)'
        ) from None
