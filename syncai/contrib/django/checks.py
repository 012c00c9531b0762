"""System checks: `manage.py check` shows them, and so do `runserver` and `migrate`.

syncai.E001  a setting of `SYNCAI` is wrong
syncai.E002  there is no such model
syncai.W001  the key of a model is missing
syncai.W002  a model is not known by name, and its name is close to that of a known one
syncai.W003  GZipMiddleware is in a position where it compresses bodies too late
syncai.W004  under ASGI, a store outside of the project's tables
syncai.W005  persistent database connections under ASGI
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any

from django.core import checks

from ...agent import Agent
from ...exceptions import MissingKeyError, UserError
from ...models import Model, infer_model, known_model_names
from ...models._infer import provider_and_name
from .._settings import AppSettings
from .conf import settings_of_project, wrong_settings

__all__ = ['agents_of_views', 'register_all']

agents_of_views: weakref.WeakSet[Agent[Any, Any]] = weakref.WeakSet()
"""Agents of `chat_view`, added while the URLs are loaded, and read by the checks, in one thread."""

_GZIP = 'django.middleware.gzip.GZipMiddleware'
_ABOVE_GZIP = ('django.middleware.security.SecurityMiddleware', 'django.middleware.cache.UpdateCacheMiddleware')


def register_all() -> None:
    """Register the checks; Django keeps each once."""
    for check in (check_settings, check_models, check_gzip, check_asgi):
        checks.register(check, 'syncai')


def check_settings(**_: Any) -> list[Any]:
    """An error for each wrong setting."""
    return [checks.Error(line, id='syncai.E001') for line in wrong_settings()]


def check_models(**_: Any) -> list[Any]:
    """Errors and warnings about the model of the settings and the models of views' agents."""
    return list({message.msg: message for where, model in _models() for message in _of_model(where, model)}.values())


def _models() -> Iterator[tuple[str, Model | str]]:
    settings = _settings()
    if settings is not None and settings.model is not None:
        yield "SYNCAI['MODEL']", settings.model
    _load_urls()
    for agent in agents_of_views:
        if (model := agent._model_or_name) is not None:
            yield f'The agent {agent.name!r}' if agent.name else 'An agent of chat_view', model


def _of_model(where: str, model: Model | str) -> Iterator[Any]:
    if isinstance(model, Model):
        return
    try:
        provider, name = provider_and_name(model)
        infer_model(model)
    except MissingKeyError as error:
        yield checks.Warning(f'{where}: {error}', id='syncai.W001')
    except UserError as error:
        yield checks.Error(f'{where}: {error}', id='syncai.E002')
        return
    full, names = f'{provider}:{name}', known_model_names(provider) if provider != 'test' else []
    if full not in names and (near := get_close_matches(full, names, n=1, cutoff=0.85)):
        text = f'{where} is {full!r}, which is not known by name. Did you mean {near[0]!r}?'
        yield checks.Warning(text, hint='Ignore this for a model that is newer than syncai.', id='syncai.W002')


def check_gzip(**_: Any) -> list[Any]:
    """A warning about the order of middleware. Django's documentation: GZip above all that reads or changes a body.

    https://docs.djangoproject.com/en/stable/ref/middleware/#middleware-ordering
    """
    from django.conf import settings

    order = list(settings.MIDDLEWARE)
    if _GZIP not in order:
        return []
    above = [one for one in order[: order.index(_GZIP)] if one.startswith('django.') and one not in _ABOVE_GZIP]
    if not above:
        return []
    text = f'GZipMiddleware stands below {above[0].rpartition(".")[2]} in MIDDLEWARE, which sees bodies unpacked.'
    hint = (
        'Put it above, directly below SecurityMiddleware and UpdateCacheMiddleware. Streams of stream_response pass '
        'it as they are; before Django 6.1 it holds every other stream back until its end.'
    )
    return [checks.Warning(text, hint=hint, id='syncai.W003')]


def check_asgi(**_: Any) -> list[Any]:
    """Warnings about settings that only suit WSGI, in a project with an `ASGI_APPLICATION`."""
    from django.conf import settings as of_django

    settings = _settings()
    if not getattr(of_django, 'ASGI_APPLICATION', None) or settings is None or settings.store is None:
        return []
    name = settings.store if isinstance(settings.store, str) else type(settings.store).__name__
    if not name.endswith('DjangoStore'):
        text = f"SYNCAI['STORE'] is {name}, a synchronous store, and the project has an ASGI_APPLICATION."
        hint = 'Each of its calls holds the one thread of a request. Use DjangoStore, or serve the project by WSGI.'
        return [checks.Warning(text, hint=hint, id='syncai.W004')]
    alias = getattr(settings.store, 'using', None) or 'default'
    if of_django.DATABASES.get(alias, {}).get('CONN_MAX_AGE', 0) == 0:
        return []
    # https://docs.djangoproject.com/en/stable/ref/databases/#persistent-connections
    text = f'DATABASES[{alias!r}] keeps connections (CONN_MAX_AGE), and the project has an ASGI_APPLICATION.'
    hint = 'Under ASGI Django opens one for each request: set CONN_MAX_AGE to 0, or use a pool of the backend.'
    return [checks.Warning(text, hint=hint, id='syncai.W005')]


def _settings() -> AppSettings | None:
    """The settings; None if they are wrong, which is an error of its own."""
    try:
        return settings_of_project()
    except UserError:
        return None


def _load_urls() -> None:
    """Load the views; Django's own checks report errors of the URLs."""
    from django.conf import settings
    from django.urls import get_resolver

    if getattr(settings, 'ROOT_URLCONF', None):
        try:
            get_resolver().url_patterns  # noqa: B018
        except Exception:
            return
