"""The doctor's findings in a Django project, without values of keys, passwords and prompts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import django
from django.conf import settings
from django.core import checks as system_checks
from django.db import DatabaseError, connections
from django.db.migrations.executor import MigrationExecutor

from ...cli._findings import Finding
from ...exceptions import UserError
from ...models import Model
from .conf import settings_of_project


def project() -> Iterator[Finding]:
    """Django, how it is served, and the settings."""
    yield Finding(text=f'Django {django.get_version()}, settings {settings.SETTINGS_MODULE}')
    served = [name for name in ('WSGI_APPLICATION', 'ASGI_APPLICATION') if getattr(settings, name, None)]
    yield Finding(text=f'served as {" and ".join(name[:4] for name in served)}' if served else 'served as WSGI')
    try:
        ours = settings_of_project()
    except UserError:
        return  # the checks show each line
    model = ours.model.model_name if isinstance(ours.model, Model) else ours.model
    yield Finding(text=f'model {model}' if model else 'no model of the project: each agent names its own')
    yield Finding(text=f'streams as {ours.form!r}, a comment after {ours.keepalive:g} s, on_leave={ours.on_leave!r}')
    for name in ours.limits:
        yield Finding(text=f'limits of {name or "all providers"}: {ours.limits[name]}')
    if settings.CSRF_COOKIE_HTTPONLY or settings.CSRF_USE_SESSIONS:
        text = 'scripts cannot read the CSRF cookie'
        yield Finding(state='note', text=text, advice='Give the page its token by {% csrf_token %}')


def checks() -> Iterator[Finding]:
    """The results of syncai's system checks."""
    messages = system_checks.run_checks(tags=['syncai'])
    for message in messages:
        yield Finding(state='error' if message.level >= system_checks.ERROR else 'warning', **_words(message))
    if not messages:
        yield Finding(text='the system checks say nothing')


def _words(message: Any) -> dict[str, Any]:
    return {'text': f'{message.msg} ({message.id})', 'advice': message.hint or None}


def database() -> Iterator[Finding]:
    """Each database, and whether the tables are there."""
    for alias in connections:
        connection = connections[alias]
        try:
            plan = MigrationExecutor(connection).migration_plan([('syncai', '0001_initial')])
        except DatabaseError as error:
            yield Finding(
                state='error', text=f'{alias}: {error}'.strip(), advice='Start the database, or correct DATABASES'
            )
            continue
        text = f'{alias}: {connection.vendor}, its tables are {"missing" if plan else "there"}'
        if plan:
            option = '' if alias == 'default' else f' --database {alias}'
            yield Finding(state='warning', text=text, advice=f'manage.py migrate syncai{option}')
        else:
            yield Finding(text=text)
