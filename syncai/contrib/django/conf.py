"""The settings `SYNCAI` of a Django project."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from ...exceptions import UserError
from ...limits import remove_limit
from ...models._route.defaults import Defaults, set_defaults
from .._settings import AppSettings, read_settings
from .._stores import store_of
from ._installation import check_installed

__all__ = ['apply_settings', 'check_installed', 'settings_of_project', 'store_of_project', 'wrong_settings']


def settings_of_project() -> AppSettings:
    """The settings in force.

    Raises:
        UserError: Some of them are wrong; a line for each.
    """
    settings, wrong = _read()
    if wrong:
        raise UserError('\n'.join(wrong))
    return settings


def store_of_project(store: Any = None) -> Any:
    """The store of a view, else that of the setting `STORE`, made once; None if there is neither.

    Raises:
        UserError: It is no store.
    """
    return _store() if store is None else store_of(store, 'store')


@functools.cache
def _store() -> Any:
    store = settings_of_project().store
    return None if store is None else store_of(store, "SYNCAI['STORE']")


def wrong_settings() -> list[str]:
    """A line for each setting that is wrong."""
    return _read()[1]


def apply_settings() -> None:
    """Let models and limits follow the settings, even if a test overrides them. The system checks and the first run
    report wrong settings.
    """
    from django.core.signals import setting_changed

    setting_changed.connect(_changed, dispatch_uid='syncai')
    set_defaults(_defaults)
    _read()[0].limit_providers()


@functools.cache  # until a test overrides the settings
def _read() -> tuple[AppSettings, list[str]]:
    from django.conf import settings

    values = getattr(settings, 'SYNCAI', {})
    if not isinstance(values, Mapping):
        return AppSettings(limits={}), [
            f"SYNCAI must be a dict like {{'MODEL': 'openai:gpt-5.4-mini'}}, not {values!r:.100}"
        ]
    return read_settings(values, lambda key: f'SYNCAI[{key!r}]')


@functools.cache
def _defaults() -> Defaults:
    return settings_of_project().defaults()


def _changed(*, setting: str, **_: Any) -> None:
    if setting == 'SYNCAI':
        for name in _read()[0].limits:
            remove_limit(name)
        _read.cache_clear()
        _defaults.cache_clear()
        _store.cache_clear()
        _read()[0].limit_providers()
