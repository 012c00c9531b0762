"""The cause of a failed connection and its remedy, in words without keys."""

from __future__ import annotations

import os
import socket
import ssl

from .._base.system import FREE_DESCRIPTORS, is_out_of_descriptors
from .proxies import without_password

__all__ = ['cause_in_words']


def cause_in_words(error: BaseException, proxy: str | None = None) -> str:
    """The cause of an error of a connection, with the usual remedy if there is one.

    Args:
        error: The error of the system, TLS or asyncio.
        proxy: The proxy that the request went through, or None.
    """
    if isinstance(error, ssl.SSLError):
        return _tls(error)
    if is_out_of_descriptors(error):
        return f'{_plain(error)}: {FREE_DESCRIPTORS}'
    if proxy and isinstance(error, OSError):
        return (
            f'the proxy {without_password(proxy)} does not answer ({_plain(error)}): check HTTPS_PROXY, HTTP_PROXY, '
            'ALL_PROXY or HttpOptions.proxy, or list the host in NO_PROXY'
        )
    if isinstance(error, socket.gaierror):
        return f'the host name was not found ({_plain(error)}): check base_url and the network'
    if isinstance(error, ConnectionRefusedError):
        return f'{_plain(error)}: is the server running, and is the port of base_url right?'
    return _plain(error)


def _tls(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f'its certificate is not accepted ({error.verify_message.rstrip(".")}): {_certificate(error)}'
    if error.reason in ('WRONG_VERSION_NUMBER', 'RECORD_LAYER_FAILURE', 'HTTP_REQUEST'):
        return f'it does not speak TLS on this port ({error.reason}): should base_url begin with http:// ?'
    if error.reason in ('TLSV13_ALERT_CERTIFICATE_REQUIRED', 'TLSV1_ALERT_UNKNOWN_CA', 'SSLV3_ALERT_BAD_CERTIFICATE'):
        return f'it asks for a certificate of the client ({error.reason}): pass HttpOptions(cert=...)'
    return f'TLS failed ({error.reason or error})'


def _certificate(error: ssl.SSLCertVerificationError) -> str:
    """What to do about a certificate, by the result of OpenSSL's check (`X509_V_ERR_*` in its x509_vfy.h)."""
    match error.verify_code:
        case 9 | 10:
            return 'is the clock of this machine right? Else the server needs a new one'
        case 62 | 64:
            return 'is the host in base_url right, and is it not a proxy that answers?'
        case _:
            return (
                'where it is from an authority of your own, '
                "name that with HttpOptions(verify='/path/of/ca.pem') or SSL_CERT_FILE"
            )


def _plain(error: BaseException) -> str:
    """The system's text of an error, without the name of the call."""
    if isinstance(error, OSError) and error.errno and not isinstance(error, socket.gaierror):
        return os.strerror(error.errno)
    if isinstance(error, ConnectionError) and not error.args:  # of asyncio
        return 'it was closed before TLS had begun'
    return getattr(error, 'strerror', None) or str(error) or type(error).__name__
