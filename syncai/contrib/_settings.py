"""The checked settings of an application: the same keys in Django's `SYNCAI` and in Flask's `SYNCAI_*`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Any, TypeAlias

from ..exceptions import UserError
from ..limits import ProviderLimits, limit, limit_key
from ..models import Model
from ..models._route.defaults import Defaults
from ..settings import HttpOptions
from ..usage import UsageLimits
from ..web._read import MOST_OF_BODY

__all__ = ['AppSettings', 'KEYS', 'read_settings']

Named: TypeAlias = Callable[[str], str]
FORMS = ('ai-sdk', 'ag-ui', 'events', 'text')


@dataclass(frozen=True, kw_only=True)
class AppSettings:
    """The settings of an application, each valid.

    Args:
        model: The model of agents that name none: a name or a `Model`.
        http: The connection options of models made from a name.
        limits: The limits over all threads of a process, by provider, by model, or by None for all.
        usage_limits: The limits of a view's run, unless the view sets others.
        form: The form of streams, unless a view names another.
        keepalive: Seconds of silence after which a stream writes a comment.
        on_leave: Whether a run stops or finishes when its browser leaves.
        max_body: The largest request taken, in bytes.
        max_files: The most files in one request.
        max_messages: The most messages of a request that are read.
        store: The store of conversations, or None.
    """

    model: Model | str | None = None
    http: HttpOptions | None = None
    limits: Mapping[str | None, ProviderLimits]
    usage_limits: UsageLimits | None = None
    form: str = 'ai-sdk'
    keepalive: float = 15
    on_leave: str = 'stop'
    max_body: int | None = None
    max_files: int | None = None
    max_messages: int | None = None
    store: Any = None

    @property
    def most_of_body(self) -> int:
        """The largest request taken, in bytes."""
        return MOST_OF_BODY if self.max_body is None else self.max_body

    def defaults(self) -> Defaults:
        """The defaults of models."""
        return Defaults(self.model, self.http)

    def limit_providers(self) -> None:
        """Apply `limits` to the requests of this process from now on."""
        for name, most in self.limits.items():
            limit(name, **{field.name: getattr(most, field.name) for field in fields(most)})

    def of_request(self) -> dict[str, int]:
        """The limits of a page's request that are set."""
        bounds = {name: getattr(self, name) for name in ('max_body', 'max_files', 'max_messages')}
        return {name: value for name, value in bounds.items() if value is not None}


def _model(value: Any, where: str) -> Any:
    if not isinstance(value, str | Model):
        raise UserError(f"{where} must be a name like 'openai:gpt-5.4-mini' or a Model, not {value!r:.100}")
    return value


def _http(value: Any, where: str) -> Any:
    return value if isinstance(value, HttpOptions) else _made(HttpOptions, value, where)


def _usage_limits(value: Any, where: str) -> Any:
    return value if isinstance(value, UsageLimits) else _made(UsageLimits, value, where)


def _limits(value: Any, where: str) -> Any:
    if not isinstance(value, Mapping):
        raise UserError(f"{where} must be a dict like {{'openai': {{'requests_per_minute': 500}}}}, not {value!r:.100}")
    return {name: _provider_limits(name, most, f'{where}[{name!r}]') for name, most in value.items()}


def _provider_limits(name: Any, most: Any, where: str) -> ProviderLimits:
    try:
        limit_key(name)
    except UserError as error:
        raise UserError(f'{where}: {error}') from None
    return most if isinstance(most, ProviderLimits) else _made(ProviderLimits, most, where)


def _made(kind: Any, value: Any, where: str) -> Any:
    """A value of `kind` from a dict of its arguments."""
    names = [field.name for field in fields(kind)]
    if not isinstance(value, Mapping):
        raise UserError(f'{where} must be a dict or {kind.__name__}(...), not {value!r:.100}')
    if unknown := [name for name in value if name not in names]:
        raise UserError(f'{where}[{unknown[0]!r}] is unknown. {_nearest(unknown[0], names)}')
    try:
        return kind(**value)
    except UserError as error:
        name = next((name for name in value if f'{name} ' in error.message), None)
        place = where if name is None else f'{where}[{name!r}]'
        raise UserError(f'{place}: {error.message}') from None


def _one_of(*values: str) -> Callable[[Any, str], Any]:
    def checked(value: Any, where: str) -> Any:
        if value not in values:
            raise UserError(f'{where} must be one of {", ".join(map(repr, values))}, not {value!r:.100}')
        return value

    return checked


def _seconds(value: Any, where: str) -> Any:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < float('inf'):
        raise UserError(f'{where} must be a number of seconds above 0, not {value!r:.100}')
    return value


def _count(value: Any, where: str) -> Any:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise UserError(f'{where} must be an integer above 0, not {value!r:.100}')
    return value


def _store(value: Any, where: str) -> Any:
    if not isinstance(value, str) and not hasattr(value, 'append'):
        raise UserError(f'{where} must be a store or the path of one, not {value!r:.100}')
    return value


KEYS: Mapping[str, Callable[[Any, str], Any]] = {
    'MODEL': _model,
    'HTTP': _http,
    'LIMITS': _limits,
    'USAGE_LIMITS': _usage_limits,
    'FORM': _one_of(*FORMS),
    'KEEPALIVE': _seconds,
    'ON_LEAVE': _one_of('stop', 'finish'),
    'MAX_BODY': _count,
    'MAX_FILES': _count,
    'MAX_MESSAGES': _count,
    'STORE': _store,
}
"""The keys, each with the function that checks its value."""


def read_settings(values: Mapping[str, Any], name_of: Named) -> tuple[AppSettings, list[str]]:
    """The valid settings, and one line for each wrong one.

    Args:
        values: Key to value; a value of None is a key that is not set.
        name_of: Returns the name of a key in the application.
    """
    wrong, valid = [], {}
    for key, value in values.items():
        if value is None:
            continue
        if key not in KEYS:
            wrong.append(f'{name_of(str(key))} is unknown. {_nearest(str(key), list(KEYS))}')
            continue
        try:
            valid[key.lower()] = KEYS[key](value, name_of(key))
        except UserError as error:
            wrong.append(error.message)
    return AppSettings(**{'limits': {}, **valid}), wrong


def _nearest(name: object, names: list[str]) -> str:
    by_lower = {one.lower(): one for one in names}
    near = get_close_matches(str(name).lower(), list(by_lower), n=1)
    return f'Did you mean {by_lower[near[0]]!r}?' if near else f'Known are {", ".join(map(repr, names))}'
