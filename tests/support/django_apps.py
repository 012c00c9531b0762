"""Django, set up once for tests that only read modules: no database is opened."""

from __future__ import annotations


def load_applications() -> None:
    """Have Django load `syncai.contrib.django`, with the applications that its admin needs."""
    import django
    from django.conf import settings

    if not settings.configured:
        names = ['contenttypes', 'auth', 'sessions', 'messages', 'admin']
        settings.configure(
            INSTALLED_APPS=[*(f'django.contrib.{name}' for name in names), 'syncai.contrib.django'], USE_TZ=True
        )
        django.setup()
