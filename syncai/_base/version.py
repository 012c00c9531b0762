"""The version of syncai; the build of the distribution reads it here."""

from __future__ import annotations

__version__ = '0.1.0'
