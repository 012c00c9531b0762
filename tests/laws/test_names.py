"""Names of variables are nouns: a bare participle such as `found` does not say what the variable holds.

A flag may be one (`self.closed = True`), since a flag says what has happened. DESIGN calls the others `match`, `names`,
`part`, `body`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
READ = [
    *(ROOT / 'syncai').rglob('*.py'),
    *(ROOT / 'benchmarks').rglob('*.py'),
    *(ROOT / 'tests' / 'support').rglob('*.py'),
]
PARTICIPLES = re.compile(
    'asked|begun|done|found|given|gone|got|held|kept|known|left|lost|made|meant|named|said|seen|sent|shown|stated|'
    'taken|told|used|wanted|written'
)
ALLOWED = {
    # The parameter of `encode` and of the views: what `read_chat` returned. In tests: the requests of a script.
    'asked': ('contrib/', 'web/', 'batch/_job.py', 'support/'),
    # A stored field: when a batch was sent, in seconds since 1970.
    'begun': ('batch/',),
    # A count, beside those of failed and lost rows.
    'done': ('batch/_job.py', 'testing/_wire/', '_engine/map_progress.py', 'support/shop.py'),
    # An amount of a ledger, beside the spent one.
    'held': ('_stores/', 'budgets/', 'batch/_ledger.py'),
    # The operand beside the right one; the rows that are left; a callback, for when the caller has left.
    'left': ('_prices/price.py', 'usage.py', 'batch/_job.py', '_engine/run_state.py', 'support/replay.py'),
    # The reason why a row of a batch has no answer, or the count of such rows.
    'lost': ('models/_http/batches.py', 'testing/_wire/'),
    # A column: when the owner of a journal was last seen.
    'seen': ('journal/_owners.py',),
    # A count of rows or bytes; in `_runs.py`, a `Sent`.
    'sent': ('batch/_job.py', 'batch/_runs.py', 'support/faults.py'),
}
"""The names with one meaning in these places: public parameters, stored fields, and members of a pair of names."""


def is_flag(value: ast.expr | None) -> bool:
    match value:
        case ast.Constant(bool()) | ast.Compare() | ast.UnaryOp(ast.Not()):
            return True
        case ast.BoolOp():
            return is_flag(value.values[-1])
        case ast.Call(ast.Name('all' | 'any' | 'bool' | 'isinstance')):
            return True
        case _:
            return False


def pairs_of(target: ast.expr, value: ast.expr | None) -> Iterator[tuple[ast.expr, ast.expr | None]]:
    """Each single target of an assignment, with its value if that is there."""
    if isinstance(target, ast.Starred):
        yield from pairs_of(target.value, None)
    elif isinstance(target, ast.Tuple | ast.List):
        same = isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(target.elts)
        values = value.elts if isinstance(value, ast.Tuple | ast.List) and same else [None] * len(target.elts)
        for one, its_value in zip(target.elts, values, strict=True):
            yield from pairs_of(one, its_value)
    else:
        yield target, value


def targets_of(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr | None]]:
    match node:
        case ast.Assign(targets, value):
            for target in targets:
                yield from pairs_of(target, value)
        case ast.AnnAssign(target, annotation, value):
            if ast.unparse(annotation) != 'bool':
                yield target, value
        case ast.NamedExpr(target, value) | ast.AugAssign(target, value=value):
            yield target, value
        case ast.For(target) | ast.AsyncFor(target) | ast.comprehension(target):
            yield from pairs_of(target, None)
        case ast.withitem(optional_vars=ast.expr() as target):
            yield from pairs_of(target, None)


def names_in(node: ast.AST) -> Iterator[str]:
    """The names that a node gives to anything but a flag."""
    for target, value in targets_of(node):
        if isinstance(target, ast.Name | ast.Attribute) and not is_flag(value):
            yield target.id if isinstance(target, ast.Name) else target.attr
    if isinstance(node, ast.arg) and (node.annotation is None or ast.unparse(node.annotation) != 'bool'):
        yield node.arg
    if isinstance(node, ast.MatchAs | ast.MatchStar) and node.name:
        yield node.name


def participles_in(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        for name in names_in(node):
            if PARTICIPLES.fullmatch(name.strip('_')):
                yield getattr(node, 'lineno', getattr(getattr(node, 'target', None), 'lineno', 0)), name.strip('_')


def test_no_name_is_a_bare_participle() -> None:
    wrong = []
    for path in READ:
        place = path.relative_to(ROOT).as_posix()
        for line, name in participles_in(ast.parse(path.read_text())):
            if not any(part in place for part in ALLOWED.get(name, ())):
                wrong.append(f'{place}:{line}: {name}')
    assert wrong == [], 'name what the variable holds, such as `match` or `names`'


def test_each_allowed_name_is_used() -> None:
    paths = {path.relative_to(ROOT).as_posix(): path for path in READ}
    for name, places in ALLOWED.items():
        for place in places:
            trees = [ast.parse(path.read_text()) for key, path in paths.items() if place in key]
            assert any(name == other for tree in trees for _, other in participles_in(tree)), (name, place)


@pytest.mark.parametrize(
    ('code', 'names'),
    [
        ('found = re.search(p, text)', ['found']),
        ('self._taken, count = 1, 2', ['taken']),
        ('for made in rows: pass', ['made']),
        ('with open(p) as given: pass', ['given']),
        ('[seen for seen in rows]', ['seen']),
        ('def f(written, /, *, done=3): pass', ['written', 'done']),
        ('if (known := get()): pass', ['known']),
        ('done = False; self.sent = a is b; held: bool = f()', []),
        ('def f(asked: bool): pass', []),
        ('names_found = 3', []),
    ],
)
def test_what_counts_as_a_name(code: str, names: list[str]) -> None:
    assert [name for _, name in participles_in(ast.parse(code))] == names
