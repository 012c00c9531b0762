"""Servers that refuse a key, and not with 401."""

from __future__ import annotations

import pytest
from refusals import MAKERS, answered

from syncai.exceptions import AuthenticationError


@pytest.mark.parametrize('wire', MAKERS)
def test_a_key_that_litellm_does_not_know_is_named(wire: str) -> None:
    """As LiteLLM 1.110 answers a wrong key where it has no database of keys."""
    body = {'error': {'message': 'No connected db.', 'type': 'no_db_connection', 'param': None, 'code': '400'}}
    error = answered(wire, 400, body)
    assert isinstance(error, AuthenticationError), error
    assert 'key' in str(error)
