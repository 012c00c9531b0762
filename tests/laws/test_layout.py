"""The layout of the package: floors, rooms that must not import each other, sizes, `__all__`, and a light import."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest
from django_apps import load_applications

pytestmark = pytest.mark.xdist_group('layout')  # in one process, which parses each file once

ROOT = Path(__file__).parent.parent.parent
PACKAGE = ROOT / 'syncai'
FILES = sorted(PACKAGE.rglob('*.py'))
PUBLIC = [f for f in FILES if not any(p.startswith('_') and p != '__init__.py' for p in f.relative_to(ROOT).parts)]

# A file imports only from floors above its own place in this list (lower floors), and from its own package.
FLOORS = [
    {
        '_base.elsewhere',
        '_base.frozen',
        '_base.functions',
        '_base.json',
        '_base.lazy',
        '_base.missing_await',
        '_base.missing_names',
        '_base.notebook',
        '_base.other_arguments',
        '_base.pauses',
        '_base.printable',
        '_base.system',
        '_base.tracebacks',
        '_base.version',
    },
    {'_base.call_hints', '_base.logs', '_base.other_names', '_providers'},
    {'_base.phases', '_base.http_words'},
    {'exceptions'},
    {'_base.values', '_prices'},
    {'usage', 'parameters', 'format_as_xml', '_stores', '_base.files', '_base.json_values'},
    {'content', '_base.tool_arguments'},
    {'_base.tool_returns'},
    {'approvals'},
    {'messages'},
    {'settings', 'events', 'limits', 'instrumentation'},
    {'_schema', '_transport', '_bridge', '_canonical'},
    {'models'},
    {'budgets', 'tape'},
    {'runs'},
    {'tools', 'result'},
    {'_telemetry', 'journal'},
    {'_engine'},
    {'stream'},
    {'batch'},
    {'testing', '_agent'},
    {'conversations'},
    {'agent', 'diagnosis', 'direct', 'notebook'},
    {'web'},
    {'demo', 'cli'},
    {'contrib'},
]
FLOOR_OF = {name: number for number, names in enumerate(FLOORS) for name in names}

# Forbidden imports: the importer, and the prefixes of the modules that it may not import.
STRANGERS = {
    '_bridge': ('syncai.messages', 'syncai.models', 'syncai._transport', 'httpx', 'httptools'),
    '_transport': ('syncai.messages', 'syncai.models', 'syncai._bridge'),
    'models': ('threading', 'janus'),
    'stream': ('syncai.models.', 'httpx', 'httptools'),
}


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix('').parts
    return '.'.join(parts[:-1] if parts[-1] == '__init__' else parts)


def unit_of(module: str) -> str:
    """The part of the package that a module belongs to: the second name of its path; of `_base` each file is one."""
    names = module.split('.')
    return '.'.join(names[1:3] if names[1:2] == ['_base'] else names[1:2])


def nodes_at_run_time(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node but those under `if TYPE_CHECKING`."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.If) and 'TYPE_CHECKING' in ast.unparse(child.test):
            for other in child.orelse:
                yield from nodes_at_run_time(other)
            continue
        yield child
        yield from nodes_at_run_time(child)


@pytest.fixture(scope='module', autouse=True)
def trees() -> Iterator[None]:
    """Kept while this module runs: many objects make each collection after it slow."""
    yield
    tree_of.cache_clear()
    imports_of.cache_clear()


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def imports_of(path: Path) -> set[str]:
    """Full names of the modules that a file imports at run time, anywhere in it."""
    return modules_in(path, nodes_at_run_time(tree_of(path)))


def modules_in(path: Path, nodes: Iterable[ast.AST]) -> set[str]:
    """Full names of the modules that some statements of a file import."""
    modules = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = module_of(path, node)
            modules.add(module)
            if node.module is None or (node.level and (ROOT / Path(*module.split('.'))).is_dir()):
                modules |= {f'{module}.{alias.name}' for alias in node.names if is_module(f'{module}.{alias.name}')}
    return modules


def module_of(path: Path, node: ast.ImportFrom) -> str:
    """The full name of the module from which a statement of a file imports."""
    package = name_of(path).split('.')
    if path.name != '__init__.py':
        package = package[:-1]
    base = '.'.join([*package[: len(package) - node.level + 1]]) if node.level else ''
    return '.'.join(filter(None, [base, node.module]))


def files_imported(path: Path) -> set[str]:
    """The files of the package that a file imports at run time: `from . import a` imports the file `a` alone."""
    statements = [node for node in nodes_at_run_time(tree_of(path)) if isinstance(node, ast.ImportFrom)]
    names = {(module_of(path, node), alias.name) for node in statements for alias in node.names}
    files = {f'{module}.{name}' if is_module(f'{module}.{name}') else module for module, name in names}
    return {file for file in files if file.startswith('syncai')} - {name_of(path)}


def is_module(name: str) -> bool:
    path = ROOT / Path(*name.split('.'))
    return path.is_dir() or path.with_suffix('.py').is_file()


def ids(path: Path) -> str:
    return str(path.relative_to(ROOT))


def not_downward(path: Path) -> Iterator[str]:
    """The imports of a file that do not go downward."""
    unit = unit_of(name_of(path))
    if not unit:
        return  # syncai/__init__.py imports its names when they are used
    for module in imports_of(path):
        other = unit_of(module) if module.startswith('syncai.') else ''
        if other and other != unit and not other.startswith('__') and FLOOR_OF[other] >= FLOOR_OF[unit]:
            yield f'{ids(path)} imports {module}, from above or beside it'


def test_imports_go_downward() -> None:
    assert [line for path in FILES for line in not_downward(path)] == []


def test_nothing_below_takes_a_name_of_the_package_itself() -> None:
    """They come from the modules: `syncai` imports those. The version is its own."""
    names = [
        f'{ids(path)} imports {alias.name} from syncai: import it from its module'
        for path in FILES
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.ImportFrom) and module_of(path, node) == 'syncai'
        for alias in node.names
        if alias.name != '__version__' and not is_module(f'syncai.{alias.name}')
    ]
    assert names == []


def test_every_file_has_a_floor() -> None:
    without = {unit_of(name_of(path)) for path in FILES} - set(FLOOR_OF) - {'', '_base'}
    assert without == set(), 'give them a floor in FLOORS, and in the table of docs/architecture.md'


def circles(imports: dict[str, set[str]]) -> list[list[str]]:
    """The circles of imports that a walk from each module meets, each as the modules on it."""
    done: set[str] = set()

    def walk(name: str, way: list[str]) -> Iterator[list[str]]:
        if name in way:
            yield [*way[way.index(name) :], name]
        elif name not in done:
            for other in sorted(imports.get(name, ())):
                yield from walk(other, [*way, name])
            done.add(name)

    return [circle for name in sorted(imports) for circle in walk(name, [])]


def test_no_circle_of_imports_runs() -> None:
    """Inside a room and inside of functions too: no file needs one that needs it."""
    assert circles({name_of(path): files_imported(path) for path in FILES}) == []


def test_a_circle_is_seen() -> None:
    assert circles({'a': {'b'}, 'b': {'c'}, 'c': {'b', 'd'}}) == [['b', 'c', 'b']]


def test_the_table_of_the_documentation_has_the_same_floors() -> None:
    rows = re.findall(r'^\| (\d+) \| (.*?) \|', (ROOT / 'docs' / 'architecture.md').read_text(), re.MULTILINE)
    documented = {int(number): set(re.findall(r'`([\w.]+)`', modules)) for number, modules in rows}
    assert documented == dict(enumerate(FLOORS, start=1))


def test_the_files_that_the_documentation_names_exist() -> None:
    """Paths such as `stream/_source`, and all names in the table of features."""
    text = (ROOT / 'docs' / 'architecture.md').read_text()
    features = text.partition('## The room of a feature')[2].partition('\n## ')[0]
    rooms = ' '.join(re.findall(r'^\|.*\| (.*) \|$', features, re.MULTILINE))
    names = {*re.findall(r'`([a-z_]+(?:/[a-z_]+)+)`', text), *re.findall(r'`([\w/.]+)`', rooms)}
    package = [PACKAGE, PACKAGE / 'models', PACKAGE / 'models' / '_http', ROOT]
    assert [
        name for name in names if not any((d / name).exists() or (d / f'{name}.py').exists() for d in package)
    ] == []


# The allowed type-only imports upward: annotations name the types of arguments, and nothing is imported at run time.
TYPE_ONLY = {
    line.strip() for line in (Path(__file__).parent / 'type_only_imports.txt').read_text().splitlines() if line.strip()
}


def type_only_imports(path: Path) -> set[str]:
    """The modules that a file imports only under `TYPE_CHECKING`."""
    everything = ast.walk(tree_of(path))
    return modules_in(path, everything) - imports_of(path)


def test_type_only_imports_upward_are_those_of_the_list() -> None:
    upward = set()
    for path in FILES:
        unit = unit_of(name_of(path))
        for module in type_only_imports(path):
            other = unit_of(module) if module.startswith('syncai.') else ''
            if unit and other in FLOOR_OF and other != unit and FLOOR_OF[other] >= FLOOR_OF[unit]:
                upward.add(f'{name_of(path)} -> {module}')
    assert upward == TYPE_ONLY, 'tests/laws/type_only_imports.txt lists them; move what is needed downward instead'


def strangers_in(path: Path) -> Iterator[str]:
    """The forbidden imports of a file."""
    forbidden = STRANGERS.get(unit_of(name_of(path)), ())
    for module in imports_of(path):
        meets = f'{module}.'.startswith(tuple(f'{name.rstrip(".")}.' for name in forbidden))
        if meets and not ('syncai.models.' in forbidden and module == 'syncai.models'):
            yield f'{ids(path)} imports {module}'


def test_strangers_never_meet() -> None:
    assert [line for path in FILES for line in strangers_in(path)] == []


@pytest.mark.parametrize(
    ('library', 'home'),
    [
        ('httpx', '_transport'),
        ('certifi', '_transport'),
        ('httptools', '_transport'),
        ('aiohappyeyeballs', '_transport'),
        ('janus', '_bridge'),
    ],
)
def test_a_library_has_one_home(library: str, home: str) -> None:
    users = {unit_of(name_of(p)) for p in FILES if any(f'{m}.'.startswith(f'{library}.') for m in imports_of(p))}
    assert users == {home}, f'only {home} imports {library}'


def test_what_is_raised_is_of_our_tree() -> None:
    """As docs/errors.md promises: `except SyncAIError` catches all of it."""
    foreign = {'Exception', 'KeyError', 'LookupError', 'RuntimeError', 'TypeError', 'ValueError'}
    for path in FILES:
        if 'testing' not in path.parts:
            raised = [node.exc for node in ast.walk(tree_of(path)) if isinstance(node, ast.Raise)]
            made = [call.func.id for call in raised if isinstance(call, ast.Call) and isinstance(call.func, ast.Name)]
            assert foreign.isdisjoint(made), f'{ids(path)} raises none of our tree, such as UserError'


def test_only_the_bridge_starts_threads() -> None:
    # testing/ runs its server in a thread of its own: it plays the other side of the socket.
    starting = {
        unit_of(name_of(path))
        for path in FILES
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func).split('.')[-1] in ('Thread', 'ThreadPoolExecutor')
    }
    assert starting <= {'_bridge', 'testing'}


def test_sizes() -> None:
    for path in [*FILES, *(ROOT / 'tests').rglob('*.py')]:
        text = path.read_text()
        lines = len(text.splitlines())
        assert lines <= 400, f'{ids(path)} has {lines} lines, and at most 400 are allowed: split it by nouns'
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
                assert (node.end_lineno or 0) - first.lineno + 1 <= 40, (
                    f'{node.name} of {ids(path)} has a body of more than 40 lines: give parts of it names'
                )


@pytest.mark.parametrize('path', [path for path in PUBLIC if path.name != '__main__.py'], ids=ids)
def test_all_is_sorted_and_complete(path: Path) -> None:
    if 'django' in path.parts:
        load_applications()
    module = importlib.import_module(name_of(path))
    names = module.__all__
    assert list(names) == sorted(names, key=str.lower)
    assert len(set(names)) == len(names)
    for name in names:
        assert getattr(module, name) is not None
    defined = [node.name for node in tree_of(path).body if isinstance(node, ast.ClassDef)]
    # The stream of one wire format is met as the `StreamedResponse` that it is.
    public = {name for name in defined if not name.startswith('_') and not name.endswith('StreamedResponse')}
    assert public - set(names) == set(), 'put them into __all__, or let their names begin with an underscore'


def test_public_modules_say_what_they_are() -> None:
    assert [ids(path) for path in PUBLIC if not ast.get_docstring(tree_of(path))] == []


def python(code: str) -> str:
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_import_is_light() -> None:
    heavy = "{'asyncio', 'pydantic', 'httpx', 'httptools', 'janus', 'tenacity'}"
    assert python(f'import sys, syncai; print(sorted({heavy} & set(sys.modules)))') == '[]'


def test_import_starts_no_thread() -> None:
    code = 'import threading, syncai, syncai.direct, syncai.testing; print(threading.active_count())'
    assert python(code) == '1'


def test_import_of_the_calls_reads_no_http_library() -> None:
    code = "import sys, syncai.direct; print(sorted({'httpx', 'httptools', 'tenacity'} & set(sys.modules)))"
    assert python(code) == '[]'


def test_the_floors_see_a_wrong_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), 'ROOT', tmp_path)
    wrong = tmp_path / 'syncai' / 'models' / 'wrong.py'
    wrong.parent.mkdir(parents=True)
    (tmp_path / 'syncai' / 'direct.py').write_text('')
    wrong.write_text('def f():\n    from ..direct import x\n    import threading\n')
    assert [line.partition(', ')[2] for line in not_downward(wrong)] == ['from above or beside it']
    assert [line.partition(' ')[2] for line in strangers_in(wrong)] == ['imports threading']
