"""`dataclass` for frozen classes: the class is made in a third of the time, and its objects faster.

The decorator of the standard library compiles up to seven functions for each class, which took a sixth of the time of a
program's first request. Here only `__init__` is compiled, and sets slots directly; the other methods are closures. The
class is a dataclass in every other respect. Type checkers see the decorator of the standard library.
"""

from __future__ import annotations

import dataclasses
import reprlib
from operator import attrgetter
from typing import TYPE_CHECKING

__all__ = ['dataclass']

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    from typing import Any

    class _Made:
        """The default, in the signature, of a field whose default is made for each object."""

        def __repr__(self) -> str:
            return '<factory>'

    _MADE = _Made()

    def dataclass(*, frozen=False, eq=True, repr=True, init=True, kw_only=False, slots=False):  # noqa: A002
        """Like `dataclasses.dataclass`, which is used for classes that are not frozen or extend a dataclass."""

        def make(cls: type) -> type:
            if not frozen or not init or any(map(dataclasses.is_dataclass, cls.__mro__[1:])):
                options = {'frozen': frozen, 'eq': eq, 'repr': repr, 'init': init, 'kw_only': kw_only, 'slots': slots}
                return dataclasses.dataclass(**options)(cls)
            cls = dataclasses.dataclass(init=False, repr=False, eq=False, kw_only=kw_only, slots=slots)(cls)
            parameters = cls.__dataclass_params__
            parameters.frozen, parameters.init, parameters.eq, parameters.repr = True, True, eq, repr
            fields = dataclasses.fields(cls)
            methods = {'__init__': _init_of(cls, fields, slots), **_frozen(cls, fields)}
            methods |= _pickled(fields) if slots else {}
            methods |= _compared(fields) if eq else {}
            methods |= _shown(fields) if repr else {}
            for name, method in methods.items():
                if name not in cls.__dict__:  # methods that the class defines stay
                    method.__name__, method.__qualname__ = name, f'{cls.__qualname__}.{name}'
                    setattr(cls, name, method)
            return cls

        return make

    def _init_of(cls: type, fields: tuple[dataclasses.Field, ...], slots: bool) -> Any:
        names: dict[str, Any] = {'_MADE': _MADE, '_set': object.__setattr__}
        plain, by_name, body, annotations = [], [], [], {}
        for field in fields:
            value, default = _value_of(field, names)
            if field.init:
                (by_name if field.kw_only else plain).append(f'{field.name}={default}' if default else field.name)
                annotations[field.name] = field.type
            if slots and value:
                names[f'_set_{field.name}'] = cls.__dict__[field.name].__set__  # faster than by its name
                body.append(f' _set_{field.name}(self, {value})')
            elif value:
                body.append(f' _set(self, {field.name!r}, {value})')
        if hasattr(cls, '__post_init__'):
            body.append(' self.__post_init__()')
        head = ', '.join(['self', *plain, *(['*', *by_name] if by_name else [])])
        exec('\n'.join([f'def __init__({head}):', *(body or [' pass'])]), names)  # noqa: S102
        init = names['__init__']
        init.__annotations__, init.__module__ = {**annotations, 'return': None}, cls.__module__
        return init

    def _value_of(field: dataclasses.Field, names: dict[str, Any]) -> tuple[str, str]:
        """The value of a field and the default of its parameter, as code; adds the names that the code uses."""
        name = field.name
        if field.default_factory is not dataclasses.MISSING:
            names[f'_make_{name}'] = field.default_factory
            factory_call = f'_make_{name}()'
            return f'{factory_call} if {name} is _MADE else {name}' if field.init else factory_call, '_MADE'
        if field.default is not dataclasses.MISSING:
            names[f'_default_{name}'] = field.default
            return name if field.init else f'_default_{name}', f'_default_{name}'
        return name if field.init else '', ''

    def _frozen(cls: type, fields: tuple[dataclasses.Field, ...]) -> dict[str, Any]:
        names = {field.name for field in fields}

        def assign(self: Any, name: str, value: Any) -> None:
            if type(self) is cls or name in names:
                raise dataclasses.FrozenInstanceError(f'cannot assign to field {name!r}')
            super(cls, self).__setattr__(name, value)

        def delete(self: Any, name: str) -> None:
            if type(self) is cls or name in names:
                raise dataclasses.FrozenInstanceError(f'cannot delete field {name!r}')
            super(cls, self).__delattr__(name)

        return {'__setattr__': assign, '__delattr__': delete}

    def _pickled(fields: tuple[dataclasses.Field, ...]) -> dict[str, Any]:
        names = [field.name for field in fields]

        def state(self: Any) -> list[Any]:
            return [getattr(self, name) for name in names]

        def set_state(self: Any, state: list[Any]) -> None:
            for name, value in zip(names, state, strict=False):
                object.__setattr__(self, name, value)

        return {'__getstate__': state, '__setstate__': set_state}

    def _compared(fields: tuple[dataclasses.Field, ...]) -> dict[str, Any]:
        compared = _values([field.name for field in fields if field.compare])
        hashed = _values([field.name for field in fields if (field.compare if field.hash is None else field.hash)])

        def equal(self: Any, other: Any) -> Any:
            return compared(self) == compared(other) if other.__class__ is self.__class__ else NotImplemented

        def hash_of(self: Any) -> int:
            return hash(hashed(self))

        return {'__eq__': equal, '__hash__': hash_of}

    def _values(names: list[str]) -> Any:
        """A function that returns the values of these fields; a tuple for several."""
        return attrgetter(*names) if names else type

    def _shown(fields: tuple[dataclasses.Field, ...]) -> dict[str, Any]:
        names = [field.name for field in fields if field.repr]

        def show(self: Any) -> str:
            return f'{self.__class__.__qualname__}({", ".join(f"{name}={getattr(self, name)!r}" for name in names)})'

        return {'__repr__': reprlib.recursive_repr()(show)}
