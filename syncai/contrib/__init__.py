"""Where applications live: Django (extra `django`), Flask (extra `flask`) and Celery (extra `celery`)."""

from __future__ import annotations

__all__: list[str] = []
