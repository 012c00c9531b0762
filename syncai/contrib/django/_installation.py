"""Whether a project has the application among its own."""

from __future__ import annotations

from ...exceptions import UserError

__all__ = ['check_installed']


def check_installed() -> None:
    """Raise UserError unless the application is installed in the project."""
    from django.apps import apps

    if not apps.is_installed('syncai.contrib.django'):
        raise UserError("Add 'syncai.contrib.django' to INSTALLED_APPS: its settings and tables belong to it")
