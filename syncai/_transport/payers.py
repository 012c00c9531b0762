"""Whose quota a request counts for, which a renewed token does not change."""

from __future__ import annotations

import binascii
import json
from base64 import urlsafe_b64decode
from typing import TYPE_CHECKING

from .keys import KEY_HEADERS

if TYPE_CHECKING:
    from .request import HttpRequest

__all__ = ['lasting_keys', 'payer_of']

_CLAIMS = ('iss', 'sub', 'aud')


def payer_of(request: HttpRequest) -> int:
    """A number that is the same for all requests with the same key, or with tokens of the same subject, at one host."""
    return hash((request.host, request.account, *lasting_keys(request)))


def lasting_keys(request: HttpRequest) -> list[str]:
    """What of the keys of a request stays the same when they are renewed."""
    return [_lasting(value) for name, value in request.headers.items() if name.lower() in KEY_HEADERS]


def _lasting(credential: str) -> str:
    """What a credential has in common with those that come after it.

    Of an AWS signature its access key, and of a JSON web token (RFC 7519) its subject: each hour's token of
    Microsoft Entra is another one.
    """
    parts = credential.rpartition(' ')[2].split('.')
    if len(parts) == 3:
        try:
            claims = json.loads(urlsafe_b64decode(parts[1] + '=='))
        except (binascii.Error, ValueError):
            return credential
        if isinstance(claims, dict) and claims.get('sub'):
            return repr([claims.get(name) for name in _CLAIMS])
    return credential.partition(', SignedHeaders')[0]
