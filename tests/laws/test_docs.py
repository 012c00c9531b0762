"""Every python block of the documentation runs, against the embedded server, and prints the lines that it shows.

A block stands alone. One after the comment `<!-- continues -->` runs after the blocks above it, in their namespace.
A line `#> text` is a line that the block must print; a block without such lines may print what it likes.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from syncai.limits import limits_in_force
from syncai.models._catalog.providers import PROVIDERS
from syncai.testing import ModelServer, RecordedRequest, Reply, ToolCall

ROOT = Path(__file__).parent.parent.parent
DOCUMENTS = [ROOT / 'README.md', *sorted((ROOT / 'docs').glob('*.md'))]
BLOCK = re.compile(r'(?P<continues><!-- continues -->\n+)?^```python\n(?P<code>.*?)^```$', re.MULTILINE | re.DOTALL)
LINK = re.compile(r'\]\((?!https?://)([^)#]+)')


@dataclass(frozen=True)
class Block:
    document: Path
    line: int
    code: str
    before: str

    @property
    def expected(self) -> list[str]:
        return re.findall(r'^\s*#> ?(.*)$', self.code, re.MULTILINE)


def blocks_of(document: Path) -> Iterator[Block]:
    text, chain = document.read_text(), ''
    for match in BLOCK.finditer(text):
        if not match['continues']:
            chain = ''
        yield Block(document, text.count('\n', 0, match.start('code')) + 1, match['code'], chain)
        chain += match['code']


BLOCKS = [block for document in DOCUMENTS for block in blocks_of(document)]


ARGUMENTS: tuple[dict[str, object], ...] = (
    {'city': 'London', 'country': 'United Kingdom'},
    {'city': 'Paris'},
    {'response': ['red', 'blue']},
    {'sql': 'SELECT * FROM users'},
    {'order': 7, 'amount': 250},
    {'order': 7},
    {'topic': 'delivery', 'order': 7},
)
"""Of the calls that the model makes: those that fit a tool, else a city."""


def answer(request: RecordedRequest) -> Reply:
    """A fitting answer for each question of the documentation."""
    tools = [tool.get('function', tool) for tool in request.json.get('tools') or ()]
    results = [tool for tool in tools if tool['name'].startswith('final_result')]
    functions = [tool for tool in tools if tool not in results]
    if 'response_format' in request.json:
        return Reply('{"city": "London", "country": "United Kingdom"}', usage=(20, 9))
    messages = request.json.get('messages', [{}])  # other formats have other names, and no tools in the documentation
    latest = [m for m in messages[-2:] if m.get('role') == 'tool']
    if functions and (not latest or 'try again' in latest[-1]['content']):
        return Reply(tool_calls=[call_of(functions[0])], usage=(30, 8))
    if results:
        return Reply(tool_calls=[call_of(results[0])], usage=(56, 8))
    return Reply(*words_for(messages), usage=(12, 7))


def words_for(messages: list[dict[str, Any]]) -> tuple[str, ...]:
    if 'help desk' not in str(messages[0]):
        return 'The capital ', 'of France ', 'is Paris.'
    if any(message.get('role') == 'tool' for message in messages):
        return 'Order 7 ', 'was shipped ', 'on Monday.'
    return 'I cannot see ', 'your order.'


def call_of(tool: dict[str, Any]) -> ToolCall:
    properties = set(tool['parameters'].get('properties', {}))
    return ToolCall(tool['name'], next((args for args in ARGUMENTS if set(args) == properties), {'city': 'Paris'}))


@pytest.fixture(scope='module')
def provider() -> Iterator[ModelServer]:
    with ModelServer(answer) as server:
        yield server


@pytest.fixture(autouse=True)
def no_limits() -> Iterator[None]:
    """The limits of one block do not affect the others."""
    yield
    limits_in_force.clear()


@pytest.mark.parametrize('block', BLOCKS, ids=lambda b: f'{b.document.name}:{b.line}')
def test_block(
    block: Block,
    provider: ModelServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    for row in PROVIDERS.values():
        for variable in row.base_url_variables[:1]:
            monkeypatch.setenv(variable, provider.base_url)
        for variable in row.key_variables[:1]:
            monkeypatch.setenv(variable, 'sk-documentation')
    namespace: dict[str, object] = {'__name__': '__main__'}
    exec(compile(block.before, str(block.document), 'exec'), namespace)
    capsys.readouterr()
    padding = '\n' * (block.line - 1)  # so that a traceback shows the line of the document
    exec(compile(padding + block.code, str(block.document), 'exec'), namespace)
    if block.expected:
        assert capsys.readouterr().out.splitlines() == block.expected


def test_there_are_blocks() -> None:
    assert {block.document.name for block in BLOCKS} >= {'README.md', 'streaming.md', 'errors.md', 'testing.md'}


@pytest.mark.parametrize('document', DOCUMENTS, ids=lambda d: d.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in LINK.findall(document.read_text()):
        assert (document.parent / target).exists(), target


def anchors_of(document: Path) -> set[str]:
    """The anchors of the headings, as MkDocs and GitHub make them."""
    text = re.sub(r'^```.*?^```$', '', document.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = (re.sub(r'[^\w\s-]', '', heading).lower() for heading in re.findall(r'^#+ (.*)$', text, re.MULTILINE))
    return {re.sub(r'\s+', '-', heading.strip()) for heading in headings}


@pytest.mark.parametrize('document', DOCUMENTS, ids=lambda document: document.name)
def test_links_into_a_page_lead_to_a_heading(document: Path) -> None:
    links = re.findall(r'\]\(([\w./-]*\.md)?#([^)]+)\)', document.read_text())
    assert [
        (page, anchor)
        for page, anchor in links
        if anchor not in anchors_of(document.parent / page if page else document)
    ] == []


@pytest.mark.parametrize('document', DOCUMENTS, ids=lambda document: document.name)
def test_tables_have_whole_rows(document: Path) -> None:
    text = re.sub(r'^```.*?^```$', '', document.read_text(), flags=re.MULTILINE | re.DOTALL)
    for table in re.findall(r'(?:^\|.*\n?)+', text, re.MULTILINE):
        rows = table.splitlines()
        cells = [len(re.findall(r'(?<!\\)\|', row)) for row in rows]
        assert [row for row, count in zip(rows, cells, strict=True) if count != cells[1] or not row.endswith('|')] == []


def test_the_error_tree_is_the_one_of_the_module() -> None:
    import syncai.exceptions

    tree = [line.strip() for line in (syncai.exceptions.__doc__ or '').splitlines() if '──' in line]
    document = (ROOT / 'docs' / 'errors.md').read_text()
    assert [line for line in tree if line not in document] == []


def test_every_error_is_public_and_in_the_tree() -> None:
    import syncai.exceptions

    files = Path(syncai.exceptions.__file__).parent.glob('*.py')
    classes = {
        node.name for path in files for node in ast.parse(path.read_text()).body if isinstance(node, ast.ClassDef)
    }
    errors = {name for name in classes if not name.startswith('_') and is_error(getattr(syncai.exceptions, name, None))}
    assert errors - {*syncai.exceptions.__all__} == set(), 'put them into __all__ of exceptions'
    missing = {name for name in errors if not re.search(rf'\b{name}\b', syncai.exceptions.__doc__ or '')}
    assert missing == set(), 'put them into the tree in the docstring of exceptions, and into docs/errors.md'


def is_error(value: object) -> bool:
    """Also of a class that the package does not export."""
    return value is None or (isinstance(value, type) and issubclass(value, BaseException))


@pytest.mark.parametrize('document', DOCUMENTS, ids=lambda document: document.name)
def test_text_for_a_page_or_a_terminal_comes_without_pauses(document: Path) -> None:
    """Where text is streamed into an answer of a web server, nginx is kept from collecting it, too."""
    for code in re.findall(r'^```py(?:thon)?\n(.*?)^```$', document.read_text(), re.MULTILINE | re.DOTALL):
        assert 'stream_text(delta=True)' not in code, code
        if 'stream_text' in code and re.search('StreamingResponse|StreamingHttpResponse|stream_with_context', code):
            assert "'X-Accel-Buffering': 'no'" in code, code


def test_every_page_is_in_the_site() -> None:
    nav = (ROOT / 'mkdocs.yml').read_text().partition('\nnav:\n')[2]
    assert {path.name for path in (ROOT / 'docs').glob('*.md')} == set(
        re.findall(r': ([\w-]+\.md)$', nav, re.MULTILINE)
    )


def errors_of_troubleshooting() -> dict[str, str]:
    """The part of the page on each class of errors."""
    page = (ROOT / 'docs' / 'troubleshooting.md').read_text()
    parts = re.split(r'^### `(\w+)`$', page, flags=re.MULTILINE)
    return {name: part.split('\n## ')[0] for name, part in zip(parts[1::2], parts[2::2], strict=True)}


def test_every_error_has_a_cause_and_a_remedy() -> None:
    import syncai.exceptions

    parts = errors_of_troubleshooting()
    assert sorted({*syncai.exceptions.__all__, 'RunPaused'}) == sorted(parts)
    both = [('**Cause.**', '**Remedy.**'), ('| cause |', '| remedy |')]
    assert [name for name, part in parts.items() if not any(a in part and b in part for a, b in both)] == []


def texts_of_the_package() -> str:
    """All texts in its code; what an f-string puts in is a line break."""
    texts = []
    for path in (ROOT / 'syncai').rglob('*.py'):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.append(node.value)
            elif isinstance(node, ast.JoinedStr):
                texts.append(
                    ''.join(str(part.value) if isinstance(part, ast.Constant) else '\n' for part in node.values)
                )
    return '\n'.join(texts)


def messages_shown(part: str) -> list[str]:
    """The messages in the blocks of text and in the first cells of the tables."""
    lines = [line for block in re.findall(r'^```text\n(.*?)^```$', part, re.M | re.S) for line in block.splitlines()]
    cells = [cell for row in re.findall(r'^\| (`.+?`) \|', part, re.M) for cell in re.findall('`(.+?)`(?:, |$)', row)]
    return lines + cells


def test_messages_are_shown_as_the_package_writes_them() -> None:
    """`...` stands for what varies; so does the status, which stands in parentheses."""
    texts, parts = texts_of_the_package(), errors_of_troubleshooting()
    messages = [re.sub(r'\(status .*?\)', '...', text) for part in parts.values() for text in messages_shown(part)]
    pieces = [piece.strip(' ,:;()') for message in messages for piece in message.split('...')]
    assert len(pieces) > 100
    assert [piece for piece in pieces if len(piece) > 5 and piece not in texts] == []
