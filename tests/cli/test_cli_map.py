"""`syncai map`, run as it is by people."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import here

from syncai.testing import ModelServer, RecordedRequest, Reply, ToolCall

pytestmark = pytest.mark.slow


def answer(request: RecordedRequest) -> Reply:
    prompt = request.json['messages'][-1]['content']
    return Reply(status=400) if 'bad' in prompt else Reply(prompt.upper(), usage=(3, 2))


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer(answer) as started:
        yield started


def syncai(server: ModelServer, folder: Path, *args: str, stdin: str = '') -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ('PATH', 'PYTHONPATH', 'HOME') if name in os.environ}
    environment = {**kept, 'OPENAI_BASE_URL': server.base_url, 'OPENAI_API_KEY': 'k', 'SYNCAI_MODEL': 'openai-chat:m'}
    command = [sys.executable, '-m', 'syncai.cli', 'map', *args]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=50, check=False, cwd=folder, input=stdin
    )


@pytest.fixture
def placed(server: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelServer:
    """The server, for `here`."""
    monkeypatch.chdir(tmp_path)
    for name, value in {
        'OPENAI_BASE_URL': server.base_url,
        'OPENAI_API_KEY': 'k',
        'SYNCAI_MODEL': 'openai-chat:m',
    }.items():
        monkeypatch.setenv(name, value)
    return server


@pytest.mark.slow
def test_json_lines_with_a_journal(server: ModelServer, tmp_path: Path) -> None:
    source = tmp_path / 'in.jsonl'
    source.write_text('{"id": 1, "text": "a"}\n\n{"id": 2, "text": "bad"}\n{"id": 3, "text": "ä"}\n')
    arguments = ('in.jsonl', 'out.jsonl', '--prompt', 'say {text}', '--journal', 'run.sqlite', '--key', 'id')
    done = syncai(server, tmp_path, *arguments)
    assert done.returncode == 1, done.stderr
    assert '1 row failed' in done.stderr
    assert '2 of 3 done, 1 failed' in done.stderr
    rows = [json.loads(line) for line in (tmp_path / 'out.jsonl').read_text().splitlines()]
    assert [row['result'] for row in rows] == ['SAY A', None, 'SAY Ä']
    assert [row['id'] for row in rows] == [1, 2, 3]
    assert rows[1]['error'].startswith('BadRequestError: ')
    source.write_text(source.read_text().replace('bad', 'good'))
    done = syncai(server, tmp_path, *arguments)
    assert (done.returncode, len(server.requests)) == (0, 4)
    assert not (tmp_path / 'out.jsonl.part').exists()


@pytest.mark.slow
def test_csv(server: ModelServer, tmp_path: Path) -> None:
    (tmp_path / 'in.csv').write_text('name,city\nAnn,"Rome, Italy"\nBob,Oslo\n')
    done = syncai(server, tmp_path, 'in.csv', 'out.csv', '-p', '{name} in {city}', '--column', 'shout')
    assert done.returncode == 0, done.stderr
    with (tmp_path / 'out.csv').open() as file:
        rows = list(csv.DictReader(file))
    assert [row['shout'] for row in rows] == ['ANN IN ROME, ITALY', 'BOB IN OSLO']
    assert [row['city'] for row in rows] == ['Rome, Italy', 'Oslo']


@pytest.mark.slow
def test_pipes(server: ModelServer, tmp_path: Path) -> None:
    done = syncai(server, tmp_path, '-', '-', '--no-progress', stdin='{"prompt": "a"}\n')
    assert (done.returncode, done.stderr) == (0, '')
    assert json.loads(done.stdout) == {'prompt': 'a', 'result': 'A'}
    done = syncai(server, tmp_path, '-', '-', '--no-progress')
    assert (done.returncode, done.stdout, done.stderr) == (0, '', '')


@pytest.mark.slow
def test_wrong_use(placed: ModelServer, tmp_path: Path) -> None:
    (tmp_path / 'in.jsonl').write_text('{"text": "a"}\n[1]\n')
    alone = syncai(placed, tmp_path, 'none.jsonl', 'out.jsonl')
    assert (alone.returncode, alone.stderr) == (2, 'syncai: There is no file none.jsonl\n')
    done = here('map', 'in.jsonl', 'out.jsonl', '--share')
    assert (done.returncode, done.stderr) == (2, 'syncai: --share needs a --journal\n')
    done = here('map', 'in.jsonl', 'out.jsonl', '-p', '{text}', '--no-progress')
    assert done.returncode == 2
    assert 'Line 2 of in.jsonl is no JSON object' in done.stderr
    assert not (tmp_path / 'out.jsonl').exists()
    done = here('map', 'in.jsonl', 'no/out.jsonl', '-p', '{text}', '--no-progress')
    assert (done.returncode, done.stderr) == (2, 'syncai: no/out.jsonl cannot be written: No such file or directory\n')


def test_a_file_that_exists_is_not_replaced_without_a_word(placed: ModelServer, tmp_path: Path) -> None:
    (tmp_path / 'in.jsonl').write_text('{"text": "a"}\n')
    (tmp_path / 'out.jsonl').write_text('old')
    arguments = ('in.jsonl', 'out.jsonl', '-p', '{text}', '--no-progress')
    done = here('map', *arguments)
    assert (done.returncode, done.stderr) == (
        2,
        'syncai: out.jsonl exists: name another file, or pass --overwrite\n',
    )
    assert ((tmp_path / 'out.jsonl').read_text(), len(placed.requests)) == ('old', 0)
    done = here('map', *arguments, '--overwrite')
    assert (done.returncode, done.stderr) == (0, '')
    assert json.loads((tmp_path / 'out.jsonl').read_text()) == {'text': 'a', 'result': 'A'}


TEXT = ('-p', '{text}')
MISTAKES = {
    'a column that is not there': (
        'in.csv',
        b'text\na\n',
        ('-p', '{txt}'),
        'names {txt}, which the row lacks; it has text',
    ),
    'no prompt': (
        'in.csv',
        b'text\na\n',
        (),
        "Pass --prompt, with the columns that it needs, such as --prompt 'Sum up: {text}'",
    ),
    'a lone brace': ('in.csv', b'text\na\n', ('-p', '{text} {'), 'a brace as {{'),
    'a key that is not there': (
        'in.csv',
        b'text\na\n',
        (*TEXT, '--key', 'id'),
        '--key names id, which a row lacks; it has text',
    ),
    'text with commas': (
        'in.csv',
        b'id,text\n1,a\n2,well, no\n',
        TEXT,
        'Line 3 of in.csv has 3 columns, and the first line 2: put quotes',
    ),
    'a quote without an end': ('in.csv', b'text\n"a\n', TEXT, 'is no CSV: unexpected end of data'),
    'two columns of one name': ('in.csv', b'text,text\na,b\n', TEXT, "has two columns called 'text'"),
    'UTF-16, as of a spreadsheet': ('in.csv', 'text\n\u00e4\n'.encode('utf-16'), TEXT, 'in.csv is no text in UTF-8'),
    'a table of a spreadsheet': ('in.jsonl', b'PK\x03\x04\xff\xfe', TEXT, 'in.jsonl is no text in UTF-8'),
    'JSON over several lines': ('in.jsonl', b'[\n {"text": "a"}\n]\n', TEXT, 'Line 1 of in.jsonl is no JSON: '),
    'a JSON list': (
        'in.jsonl',
        b'[{"text": "a"}]\n',
        TEXT,
        'Line 1 of in.jsonl is no JSON object: write {"text": ...}, one a line',
    ),
    'a schema that is not there': ('in.csv', b'text\na\n', (*TEXT, '--schema', 'no.json'), 'no.json'),
}


@pytest.mark.parametrize('mistake', MISTAKES)
def test_a_mistake_is_one_line_and_costs_nothing(placed: ModelServer, tmp_path: Path, mistake: str) -> None:
    name, content, arguments, words = MISTAKES[mistake]
    (tmp_path / name).write_bytes(content)
    done = here('map', name, 'out.jsonl', *arguments, '--no-progress')
    assert done.returncode == 2, done.stderr
    assert words in done.stderr
    lines = [line for line in done.stderr.splitlines() if 'out.jsonl.part' not in line]
    assert len(lines) == 1, done.stderr
    assert not (tmp_path / 'out.jsonl').exists()
    assert len(placed.requests) <= 1


@pytest.mark.parametrize(
    ('name', 'content'),
    [
        ('in.csv', b'\xef\xbb\xbfid;text\r\n1;"a;b"\r\n'),
        ('in.tsv', b'id\ttext\n1\ta;b\n'),
        ('in.CSV', b'id,text\n1,"a;b"\n'),
        ('in.jsonl', b'\xef\xbb\xbf{"id": "1", "text": "a;b"}\r\n'),
    ],
)
def test_files_as_spreadsheets_write_them(placed: ModelServer, tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    done = here('map', name, 'out.jsonl', '-p', '{text}', '--no-progress')
    assert (done.returncode, done.stderr) == (0, '')
    assert json.loads((tmp_path / 'out.jsonl').read_text()) == {'id': '1', 'text': 'a;b', 'result': 'A;B'}


@pytest.mark.slow
def test_a_map_that_is_killed_goes_on(server: ModelServer, tmp_path: Path) -> None:
    count = 400
    (tmp_path / 'in.jsonl').write_text(''.join(f'{{"id": {n}, "text": "t{n}"}}\n' for n in range(count)))
    arguments = ('in.jsonl', 'out.jsonl', '-p', '{text}', '-j', 'run.sqlite', '--key', 'id', '-c', '4', '--no-progress')
    command = [sys.executable, '-m', 'syncai.cli', 'map', *arguments]
    environment = {**os.environ, 'OPENAI_BASE_URL': server.base_url, 'OPENAI_API_KEY': 'k'}
    environment['SYNCAI_MODEL'] = 'openai-chat:m'
    with subprocess.Popen(command, env=environment, cwd=tmp_path) as process:
        assert server.wait_for_requests(100, 20)
        process.kill()
    assert not (tmp_path / 'out.jsonl').exists()
    done = syncai(server, tmp_path, *arguments)
    assert (done.returncode, done.stderr) == (0, '')
    rows = [json.loads(line) for line in (tmp_path / 'out.jsonl').read_text().splitlines()]
    assert rows == [{'id': n, 'text': f't{n}', 'result': f'T{n}'} for n in range(count)]
    assert len(server.requests) < count + 100


@pytest.mark.slow
def test_an_answer_that_fits_a_schema(model_server: ModelServer, tmp_path: Path) -> None:
    (tmp_path / 'in.csv').write_text('text\na\n')
    schema = {'type': 'object', 'properties': {'city': {'type': 'string'}}, 'required': ['city']}
    (tmp_path / 'city.json').write_text(json.dumps(schema))
    arguments = ('-p', '{text}', '--schema', 'city.json', '--journal', 'run.sqlite', '--no-progress')
    model_server.reply(Reply(tool_calls=[ToolCall('final_result', {'city': 'Rome'})]))
    for _ in range(2):
        done = syncai(model_server, tmp_path, 'in.csv', 'out.jsonl', *arguments)
        assert (done.returncode, done.stderr) == (0, '')
        assert json.loads((tmp_path / 'out.jsonl').read_text()) == {'text': 'a', 'result': {'city': 'Rome'}}
    assert len(model_server.requests) == 1
