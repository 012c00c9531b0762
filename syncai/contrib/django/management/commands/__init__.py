"""Commands of `manage.py`: `syncai_chat`, `syncai_cleanup`, `syncai_doctor`."""

from __future__ import annotations

__all__: list[str] = []
