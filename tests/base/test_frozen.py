"""Our `dataclass` makes what the one of the standard library makes: each class here is made by both, and compared."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import sys
from collections.abc import Callable
from dataclasses import field
from functools import partial
from typing import Any, ClassVar, Generic, TypeVar

import pytest
from pydantic import TypeAdapter

from syncai import HttpOptions, ModelRequest, ToolDefinition, Usage
from syncai._base.frozen import dataclass as ours

T = TypeVar('T')
Maker = Callable[..., Callable[[type], Any]]


def classes(dataclass: Maker) -> dict[str, Any]:
    """The same classes, made by one or the other."""

    @dataclass(frozen=True, slots=True)
    class Plain:
        """Fields of every kind."""

        needed: int
        default: str = 'x'
        made: list[int] = field(default_factory=list)
        named: float = field(default=1.5, kw_only=True)
        hidden: str = field(default='key', repr=False)
        ignored: int = field(default=0, compare=False)
        fixed: int = field(default=3, init=False)
        counted: dict[str, int] = field(default_factory=dict, init=False, hash=False)
        kind: ClassVar[str] = 'plain'

    @dataclass(frozen=True, kw_only=True)
    class WithDict:
        """No slots, named only, and a check."""

        a: int
        b: int = 2

        def __post_init__(self) -> None:
            if self.b < 0:
                raise ValueError('b')

    return {'Plain': Plain, 'WithDict': WithDict, **further_classes(dataclass)}


def further_classes(dataclass: Maker) -> dict[str, Any]:
    """Those of one field, or none."""

    @dataclass(frozen=True, slots=True, eq=False, repr=False)
    class Bare(Generic[T]):
        """What compares by identity."""

        value: T | None = None

    @dataclass(frozen=True, slots=True)
    class Own:
        """What says some of it itself."""

        value: int

        def __repr__(self) -> str:
            return 'mine'

        def __hash__(self) -> int:
            return 7

    @dataclass(frozen=True, slots=True)
    class Child(Own):
        """A field more."""

        more: int = 4

    @dataclass(frozen=True)
    class Empty:
        """No field."""

    @dataclass(frozen=True, slots=True)
    class Single:
        """One field that can be hashed."""

        value: Any

    return {kind.__name__: kind for kind in (Bare, Own, Child, Empty, Single)}


OURS, THEIRS = classes(ours), classes(dataclasses.dataclass)
ARGUMENTS: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ('Plain', (1,), {}),
    ('Plain', (1, 'y', [2]), {'named': 2.5, 'hidden': 'k', 'ignored': 9}),
    ('WithDict', (), {'a': 1}),
    ('WithDict', (), {'a': 1, 'b': 3}),
    ('Bare', ('v',), {}),
    ('Own', (5,), {}),
    ('Child', (5, 6), {}),
    ('Empty', (), {}),
    ('Single', ((1, 2),), {}),
]


def outcome(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except Exception as error:
        return type(error), str(error)


@pytest.mark.parametrize(('name', 'args', 'named'), ARGUMENTS)
def test_objects_are_those_of_the_standard_library(name: str, args: Any, named: Any) -> None:
    def seen(kind: Any) -> Any:
        one, other = kind(*args, **named), kind(*args, **named)
        return {
            'values': {f.name: getattr(one, f.name) for f in dataclasses.fields(one)},
            'dict': outcome(lambda: dataclasses.asdict(one)),
            'repr': repr(one) if 'object at' not in repr(one) else None,
            'equal': (one == other, one == 3, one != other, one == copy.copy(one)),
            'hash': outcome(lambda: hash(one) == hash(other)),
            'fields': [outcome(partial(setattr, one, f.name, 1)) for f in dataclasses.fields(one)],
            'delete': [outcome(partial(delattr, one, f.name)) for f in dataclasses.fields(one)],
            'replaced': outcome(lambda: repr(dataclasses.replace(one)).partition(' object')[0]),
            'slots': getattr(kind, '__slots__', None),
            'state': outcome(lambda: kind.__getstate__(one)),
            'deep': [getattr(copy.deepcopy(one), f.name) for f in dataclasses.fields(one)],
        }

    assert seen(OURS[name]) == seen(THEIRS[name])


@pytest.mark.parametrize('name', OURS)
def test_classes_are_those_of_the_standard_library(name: str) -> None:
    def seen(kind: Any) -> Any:
        return (
            str(inspect.signature(kind)),
            inspect.get_annotations(kind.__init__),
            kind.__match_args__,
            kind.__init__.__qualname__,
            kind.__init__.__module__,
            dataclasses.is_dataclass(kind),
            [(f.name, f.type, f.init, f.repr, f.compare, f.hash, f.kw_only) for f in dataclasses.fields(kind)],
            [getattr(kind.__dataclass_params__, name) for name in ('init', 'repr', 'eq', 'order', 'frozen')],
        )

    assert seen(OURS[name]) == seen(THEIRS[name])


@pytest.mark.parametrize(
    ('name', 'args', 'named'),
    [('Plain', (), {}), ('Plain', (1, 2, 3, 4, 5, 6), {}), ('WithDict', (1,), {}), ('WithDict', (), {'a': 1, 'b': -1})],
)
def test_wrong_arguments_fail_alike(name: str, args: Any, named: Any) -> None:
    def failed(kind: Any) -> Any:
        kind_of_error, text = outcome(lambda: kind(*args, **named))
        return kind_of_error, text

    assert failed(OURS[name]) == failed(THEIRS[name])


@pytest.mark.parametrize(('name', 'argument'), [('Plain', 'needed'), ('WithDict', 'a')])
def test_a_class_on_top_may_have_attributes(name: str, argument: str) -> None:
    """Those of the standard library may not where there are slots, by a flaw of CPython 3.11."""
    more = type('More', (OURS[name],), {})(**{argument: 1})
    more.extra = 2
    del more.extra
    with pytest.raises(dataclasses.FrozenInstanceError, match=argument):
        setattr(more, argument, 3)
    with pytest.raises(dataclasses.FrozenInstanceError, match='other'):
        OURS[name](**{argument: 1}).other = 1


def test_a_dataclass_of_the_program_may_extend_ours() -> None:
    @dataclasses.dataclass(frozen=True)
    class Request(ModelRequest):
        tenant: str = 'a'

    assert Request([], tenant='b').tenant == 'b'
    with pytest.raises(TypeError, match='non-frozen dataclass from a frozen one'):
        dataclasses.dataclass(type('Loose', (ModelRequest,), {}))


@pytest.mark.parametrize('value', [HttpOptions(max_retries=1), Usage(requests=2), ToolDefinition(name='t')])
def test_public_values_travel(value: Any) -> None:
    assert pickle.loads(pickle.dumps(value)) == value == copy.copy(value) == copy.deepcopy(value)
    with pytest.raises(dataclasses.FrozenInstanceError):
        value.name = 1


def test_pydantic_takes_them_for_dataclasses() -> None:
    adapter = TypeAdapter(ToolDefinition)
    tool = adapter.validate_json('{"name": "t", "strict": true}')
    assert tool == ToolDefinition(name='t', strict=True)
    assert adapter.validate_json(adapter.dump_json(tool)) == tool


def test_they_take_no_more_memory() -> None:
    assert sys.getsizeof(OURS['Plain'](1)) == sys.getsizeof(THEIRS['Plain'](1))
