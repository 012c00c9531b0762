"""What to write for a name that a class does not have."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import Any

__all__ = ['ANY', 'for_item', 'for_name']

ANY = ''
"""The key, in a table of other names, of what to write for a name that nothing is like."""
_PREFIXES = ('get_', 'async_', 'is_', 'to_', 'a')
_LAST_WORDS = ('sync', 'async')
_WORD = re.compile(r'[a-z]+|[A-Z][a-z]*|[0-9]+')
_TOO_COMMON = frozenset({'call', 'next', 'prompt', 'run', 'tool'})
"""Words that say nothing where they are a part of a name."""
_MOST_NAMES = 24


def for_name(owner: Any, name: str) -> str:
    """What to write for an attribute that the object does not have; one line."""
    inner = type(owner)._value_name
    if inner and inner != name and name not in type(owner)._other_names:
        value = _value_of(owner, inner)
        if isinstance(value, dict) and name in value:
            return f'write `.{inner}[{name!r}]`'
        if value is not None and hasattr(value, name):
            return f'it belongs to the value: write `.{inner}.{name}`'
    kind: Any = type(owner)
    return _remedy(kind, name)


def _value_of(owner: Any, name: str) -> Any:
    """The value of an attribute, or None where it has none, such as the data of a run that failed."""
    try:
        return getattr(owner, name)
    except Exception:
        return None


def for_item(owner: Any, key: object) -> TypeError:
    """The error for `owner[key]`, of an object that is no dict and no list."""
    kind = type(owner)
    if not isinstance(key, str):
        return TypeError(f'{kind.__name__} is not a list: {_all_names(kind)}')
    if hasattr(owner, key):
        return TypeError(f'{kind.__name__} is not a dict: write {_written(kind, key)}')
    return TypeError(f'{kind.__name__} is not a dict, and has no {key!r}: {for_name(owner, key)}')


@functools.lru_cache(maxsize=512)
def _remedy(kind: Any, name: str) -> str:
    table, public = kind._other_names, _public_names(kind)
    if name in table:
        return str(table[name])
    words = [word.lower() for word in _WORD.findall(name)]
    plain = '_'.join(words)
    for variant in _variants(plain):
        if variant in public:
            return f'write {_written(kind, variant)}'
        if variant in table:
            return str(table[variant])
    from difflib import get_close_matches

    if near := get_close_matches(plain, public, n=1, cutoff=0.75):
        return f'did you mean {_written(kind, near[0])}?'
    for word in [form for one in (*words[-1:], *words) for form in _variants(one)]:
        if word in _TOO_COMMON:
            continue
        if word in table:
            return str(table[word])
        if word in public:
            return f'did you mean {_written(kind, word)}?'
    return str(table[ANY]) if ANY in table else _all_names(kind)


def _variants(name: str) -> Iterator[str]:
    """The name, and without what other libraries put before or after such names."""
    shorter = [name]
    shorter += [name.removesuffix(f'_{word}') for word in _LAST_WORDS if name.endswith(f'_{word}')]
    shorter += [name.removesuffix('s')]
    yield from shorter
    for one in shorter:
        yield from (one.removeprefix(prefix) for prefix in _PREFIXES if one.startswith(prefix))


def _public_names(kind: type) -> list[str]:
    return [name for name in dir(kind) if name[0] != '_']


def _all_names(kind: type) -> str:
    names = _public_names(kind)
    more = ', and what `dir()` lists' if len(names) > _MOST_NAMES else ''
    return f'it has {", ".join(_written(kind, name) for name in names[:_MOST_NAMES])}{more}'


def _written(kind: type, name: str) -> str:
    """An attribute, or the call of a method, as code."""
    import inspect

    member = inspect.getattr_static(kind, name, None)
    if isinstance(member, staticmethod | classmethod):
        member = member.__func__
    if not callable(member):
        return f'`.{name}`'
    try:
        parameters = inspect.signature(member).parameters.values()
    except ValueError:  # a method written in C
        return f'`.{name}(...)`'
    takes_much = len(parameters) > 2 or any(one.default is one.empty for one in parameters if one.name != 'self')
    return f'`.{name}({"..." if takes_much else ""})`'
