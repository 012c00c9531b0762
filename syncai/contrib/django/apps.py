"""The application `syncai.contrib.django`, as `INSTALLED_APPS` names it."""

from __future__ import annotations

from django.apps import AppConfig

__all__ = ['SyncAIConfig']


class SyncAIConfig(AppConfig):
    """Applies the settings `SYNCAI`, registers the checks, and closes the connections of worker threads."""

    name = 'syncai.contrib.django'
    label = 'syncai'
    verbose_name = 'Conversations with models'
    default_auto_field = 'django.db.models.BigAutoField'

    def ready(self) -> None:
        """Called by Django once, when all applications are loaded."""
        from . import checks
        from .conf import apply_settings
        from .threads import close_after_functions

        checks.register_all()
        apply_settings()
        close_after_functions()
