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

from syncai.testing import ModelServer, RecordedRequest, Reply

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


def test_json_lines_with_a_journal(server: ModelServer, tmp_path: Path) -> None:
    source = tmp_path / 'in.jsonl'
    source.write_text('{"id": 1, "text": "a"}\n\n{"id": 2, "text": "bad"}\n{"id": 3, "text": "ä"}\n')
    arguments = ('in.jsonl', 'out.jsonl', '--prompt', 'say {text}', '--journal', 'run.sqlite', '--key', 'id')
    done = syncai(server, tmp_path, *arguments)
    assert done.returncode == 1, done.stderr
    assert '1 row failed' in done.stderr
    assert '2 done, 1 failed' in done.stderr
    rows = [json.loads(line) for line in (tmp_path / 'out.jsonl').read_text().splitlines()]
    assert [row['result'] for row in rows] == ['SAY A', None, 'SAY Ä']
    assert [row['id'] for row in rows] == [1, 2, 3]
    assert rows[1]['error'].startswith('BadRequestError: ')
    source.write_text(source.read_text().replace('bad', 'good'))
    done = syncai(server, tmp_path, *arguments)
    assert (done.returncode, len(server.requests)) == (0, 4)
    assert not (tmp_path / 'out.jsonl.part').exists()


def test_csv(server: ModelServer, tmp_path: Path) -> None:
    (tmp_path / 'in.csv').write_text('name,city\nAnn,"Rome, Italy"\nBob,Oslo\n')
    done = syncai(server, tmp_path, 'in.csv', 'out.csv', '-p', '{name} in {city}', '--column', 'shout')
    assert done.returncode == 0, done.stderr
    with (tmp_path / 'out.csv').open() as file:
        rows = list(csv.DictReader(file))
    assert [row['shout'] for row in rows] == ['ANN IN ROME, ITALY', 'BOB IN OSLO']
    assert [row['city'] for row in rows] == ['Rome, Italy', 'Oslo']


def test_pipes(server: ModelServer, tmp_path: Path) -> None:
    done = syncai(server, tmp_path, '-', '-', '--no-progress', stdin='{"prompt": "a"}\n')
    assert (done.returncode, done.stderr) == (0, '')
    assert json.loads(done.stdout) == {'prompt': 'a', 'result': 'A'}


def test_wrong_use(server: ModelServer, tmp_path: Path) -> None:
    (tmp_path / 'in.jsonl').write_text('{"text": "a"}\n[1]\n')
    (tmp_path / 'out.jsonl').write_text('old')
    done = syncai(server, tmp_path, 'none.jsonl', 'out.jsonl')
    assert (done.returncode, done.stderr) == (2, 'syncai: There is no file none.jsonl\n')
    done = syncai(server, tmp_path, 'in.jsonl', 'out.jsonl', '--share')
    assert (done.returncode, done.stderr) == (2, 'syncai: --share needs a --journal\n')
    done = syncai(server, tmp_path, 'in.jsonl', 'out.jsonl', '-p', '{txt}', '--no-progress')
    assert done.returncode == 2
    assert 'Line 2 of in.jsonl is no JSON object' in done.stderr
    assert (tmp_path / 'out.jsonl').read_text() == 'old'
    (tmp_path / 'in.jsonl').write_text('{"text": "a"}\n')
    done = syncai(server, tmp_path, 'in.jsonl', '-', '-p', '{txt}', '--no-progress')
    assert done.returncode == 1
    assert 'names {txt}, which the row lacks; it has text' in done.stdout
