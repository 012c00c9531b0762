"""Certificates for servers on loopback, and how many descriptors are open."""

from __future__ import annotations

import ssl
from pathlib import Path

import trustme


class Authority:
    """A certificate authority of the tests, and the file by which a client trusts it."""

    def __init__(self, directory: Path) -> None:
        self._authority = trustme.CA()
        self.bundle = str(directory / 'ca.pem')
        self._authority.cert_pem.write_to_path(self.bundle)

    def serving(self, *names: str) -> ssl.SSLContext:
        """What a server of these names needs."""
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._authority.issue_cert(*(names or ('localhost',))).configure_cert(tls)
        tls.set_alpn_protocols(['h2', 'http/1.1'])
        return tls


def descriptors() -> int:
    return sum(1 for _ in Path('/proc/self/fd').iterdir())
