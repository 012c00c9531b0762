"""A request, a prompt or any other value as bytes that are always the same, and their SHA-256: the keys of stores.

The bytes are the same in every process and Python version, whatever the order of a dict or a set, and hold no time, no
run id and no id made by a provider or this library. Files count by their content. A value that has no such form is an
error: text made by `str()` or `repr()` holds addresses.
"""

from .keys import CANONICAL_VERSION, canonical_bytes, canonical_key, canonical_value
from .request import CanonicalRequest, canonical_parameters, canonical_request, canonical_settings

__all__ = [
    'CANONICAL_VERSION',
    'canonical_bytes',
    'canonical_key',
    'canonical_parameters',
    'canonical_request',
    'canonical_settings',
    'canonical_value',
    'CanonicalRequest',
]
