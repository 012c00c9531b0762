"""Why a connection failed, and what to do about it, in words without keys."""

from __future__ import annotations

import errno
import os
import socket
import ssl
from typing import Any

from .proxies import without_password

__all__ = ['cause_in_words']


def cause_in_words(error: BaseException, proxy: str | None = None) -> str:
    """The cause of an error of the engine, with its remedy where there is a usual one.

    Args:
        error: What the engine raised.
        proxy: The proxy that the request went through, or None.
    """
    known: Any = error
    root = getattr(known, 'certificate_error', None) or getattr(known, 'os_error', None) or error
    if isinstance(root, ssl.SSLError):
        return _tls(root)
    if proxy and isinstance(root, OSError):
        return (
            f'the proxy {without_password(proxy)} does not answer ({_system(root)}): check HTTPS_PROXY, HTTP_PROXY, '
            'ALL_PROXY or HttpOptions.proxy, or list the host in NO_PROXY'
        )
    if isinstance(root, socket.gaierror):
        return f'the host name was not found ({_system(root)}): check base_url and the network'
    if isinstance(root, OSError) and root.errno == errno.ECONNREFUSED:
        return f'{_system(root)}: is the server running, and is the port of base_url right?'
    if isinstance(root, OSError) and root.errno:
        return _system(root)
    return _http(known, proxy)


def _http(error: Any, proxy: str | None) -> str:
    """The rest; the text of an error with a status would show the whole URL."""
    if type(error).__name__ == 'ClientPayloadError':  # its text is about classes of the engine
        return 'it was closed in the middle of the answer'
    status, message = getattr(error, 'status', None), getattr(error, 'message', None)
    if status is None:
        return str(error) or type(error).__name__
    if proxy and type(error).__name__ == 'ClientHttpProxyError':
        remedy = ': put name and password into its address, http://name:password@host:port' if status == 407 else ''
        return f'the proxy {without_password(proxy)} answered {status} {message}{remedy}'
    return f'the answer is not HTTP: {" ".join(str(message).split())[:200]}'


def _tls(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f'its certificate is not accepted ({error.verify_message}): where it is from an authority of your own, '
            "name that with HttpOptions(verify='/path/of/ca.pem') or SSL_CERT_FILE"
        )
    if error.reason in ('WRONG_VERSION_NUMBER', 'RECORD_LAYER_FAILURE', 'HTTP_REQUEST'):
        return f'it does not speak TLS on this port ({error.reason}): should base_url begin with http:// ?'
    return f'TLS failed ({error.reason or error})'


def _system(error: OSError) -> str:
    """What the system says about an error, rather than what was called."""
    if isinstance(error, socket.gaierror) or not error.errno:
        return error.strerror or str(error) or type(error).__name__
    return os.strerror(error.errno)
