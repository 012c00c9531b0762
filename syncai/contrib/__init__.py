"""Integrations: Django, Flask, Celery and Ray, each with the extra of its name."""

from __future__ import annotations

__all__: list[str] = []
