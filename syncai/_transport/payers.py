"""The quota of a request; a renewed token does not change it."""

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
    """A number that is equal for requests with the same key, or with tokens of the same subject, at one host."""
    return hash((request.host, request.account, *lasting_keys(request)))


def lasting_keys(request: HttpRequest) -> list[str]:
    """The part of a request's keys that stays the same when they are renewed."""
    return [_lasting(value) for name, value in request.headers.items() if name.lower() in KEY_HEADERS]


def _lasting(credential: str) -> str:
    """The lasting part of a credential: the access key of an AWS signature, and the subject of a JSON web token (RFC
    7519), since Microsoft Entra issues a new token every hour.
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
