"""Tapes that cannot be read or written, and those that several processes write: nothing is lost or overwritten."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from taping import ask, model, path, server, stream

from syncai import Agent
from syncai.exceptions import TapeError, TapeMismatch
from syncai.messages import BinaryContent
from syncai.models.openai import OpenAIChatModel
from syncai.tape import Tape
from syncai.testing import ModelServer, Reply

__all__ = ['model', 'path', 'server']

ROOT = Path(__file__).parent.parent.parent
EXCHANGE = {'request': {'model': {}, 'messages': [], 'settings': {}, 'parameters': {}}, 'recorded': '2026-01-01T00:00Z'}
FILES = {
    'empty': ('', 'it is empty'),
    'no json': ('{"format": ', 'it is not JSON'),
    'foreign': ('{"messages": []}', 'lacks "format": "syncai tape"'),
    'a list': ('[1, 2]', 'lacks "format": "syncai tape"'),
    'a cassette': ('interactions:\n- request:\n', r'cassette of vcrpy, which ModelServer.from_vcr\(path\) plays'),
    'a cassette of JSON': ('{"version": 1, "interactions": []}', r'ModelServer.from_vcr\(path\)'),
    'newer': ('{"format": "syncai tape", "version": 99, "exchanges": []}', 'version 99, and this release reads 1'),
    'no answer': (
        json.dumps({'format': 'syncai tape', 'version': 1, 'exchanges': [EXCHANGE]}),
        'Exchange 1 of the tape .* neither a response nor an error',
    ),
    'odd answer': (
        json.dumps({'format': 'syncai tape', 'version': 1, 'exchanges': [{**EXCHANGE, 'response': {'kind': 'x'}}]}),
        'Exchange 1 of the tape .* cannot be read',
    ),
    'odd error': (
        json.dumps({'format': 'syncai tape', 'version': 1, 'exchanges': [{**EXCHANGE, 'error': {'class': 'os'}}]}),
        "'os' is no error of a call",
    ),
}


@pytest.mark.parametrize('mode', ['once', 'refresh', 'replay'])
@pytest.mark.parametrize('name', FILES)
def test_a_file_that_is_no_tape_is_refused_and_stays(name: str, mode: Any, tmp_path: Path) -> None:
    text, error = FILES[name]
    place = tmp_path / 'x.json'
    place.write_text(text)
    with pytest.raises(TapeError, match=error), Tape(place, mode=mode):
        pytest.fail('the block was entered')
    assert place.read_text() == text


def test_a_file_of_bytes_is_refused(tmp_path: Path) -> None:
    (tmp_path / 'x.json').write_bytes(b'\xff\xfe\x00')
    with pytest.raises(TapeError, match='cannot be read'), Tape(tmp_path / 'x.json'):
        pass


@pytest.mark.skipif(not Path('/dev/full').exists(), reason='no /dev/full, which is a full disk, on this system')
def test_a_full_disk_is_an_error_at_the_end_and_the_file_is_as_it_was(
    model: OpenAIChatModel, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Tape(path, mode='once'):
        ask(model, 'a')
    before = path.read_bytes()
    opened = Path.open

    def full(self: Path, mode: str = 'r', *args: Any, **options: Any) -> Any:
        return opened(Path('/dev/full'), 'wb') if 'x' in mode else opened(self, mode, *args, **options)

    monkeypatch.setattr(Path, 'open', full)
    with pytest.raises(TapeError, match=r'No space left.*as it was; 1 new answers') as raised, Tape(path, mode='once'):
        assert ask(model, 'b') == 'You said: b'  # the answer was paid for, and reaches the caller
    assert isinstance(raised.value.__cause__, OSError)
    assert raised.value.__cause__.errno == errno.ENOSPC
    with pytest.raises(ZeroDivisionError) as failed, Tape(path, mode='once'):
        ask(model, 'c')
        raise ZeroDivisionError
    assert 'No space left' in failed.value.__notes__[0]
    with (
        pytest.raises(TapeError, match=r'The cache .* cannot be written: .*No space left'),
        Tape(path.parent / 'c', ttl=9),
    ):
        ask(model, 'd')
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ['x.json', 'c'] or len(list(path.parent.iterdir())) == 2


def test_a_directory_that_cannot_be_made(tmp_path: Path, model: OpenAIChatModel) -> None:
    (tmp_path / 'file').write_text('')
    with pytest.raises(TapeError, match='cannot be'), Tape(tmp_path / 'file' / 'x.json'):
        ask(model)
    with pytest.raises(TapeError, match='cannot be made'), Tape(tmp_path / 'file' / 'cache', ttl='1d'):
        ask(model)


def test_a_link_stays_a_link(model: OpenAIChatModel, tmp_path: Path) -> None:
    (tmp_path / 'link.json').symlink_to(tmp_path / 'target.json')
    with Tape(tmp_path / 'link.json', mode='once'):
        ask(model)
    assert (tmp_path / 'link.json').is_symlink()
    assert 'syncai tape' in (tmp_path / 'target.json').read_text()


def test_odd_texts_come_back_as_they_were(path: Path) -> None:
    text = 'é 😀 \u2028 "quoted" \\ \x00\n\ttab'
    with ModelServer(Reply(text)) as server:
        model = OpenAIChatModel('m', base_url=server.base_url)
        with Tape(path, mode='once'):
            stream(model, text)
        with Tape(path, mode='replay'):
            assert stream(model, text)[1].text == text


# --- a cache ----------------------------------------------------------------------------------------------------------


def test_a_cache_answers_the_same_request_each_time(
    server: ModelServer, model: OpenAIChatModel, tmp_path: Path
) -> None:
    with Tape(f'{tmp_path}/cache/') as tape:
        assert {ask(model) for _ in range(3)} == {'You said: hi'}
        stream(model)
    assert (tape.played, tape.recorded, len(server.requests)) == (3, 1, 1)
    with Tape(tmp_path / 'cache', mode='replay', ttl='1h'):
        ask(model)
        with pytest.raises(TapeMismatch, match='is not in this directory'):
            ask(model, 'other')
    with Tape(tmp_path / 'cache', mode='refresh'):
        ask(model)
    assert len(server.requests) == 2


def test_what_is_too_old_is_asked_again(server: ModelServer, model: OpenAIChatModel, tmp_path: Path) -> None:
    cache = tmp_path / 'cache'
    with Tape(cache, ttl='7d'):
        ask(model)
    (file,) = cache.rglob('*.json')
    form = json.loads(file.read_text())
    form['exchanges'][0]['recorded'] = (datetime.now(tz=UTC) - timedelta(days=8)).isoformat()
    file.write_text(json.dumps(form))
    with Tape(cache, mode='replay', ttl='7d'), pytest.raises(TapeMismatch, match='longer ago than its ttl'):
        ask(model)
    for _ in range(2):
        with Tape(cache, ttl=timedelta(days=7)):
            ask(model)
    assert len(server.requests) == 2


def test_a_cache_keeps_no_errors(tmp_path: Path) -> None:
    with ModelServer([Reply(status=400), Reply('fine')]) as server, Tape(tmp_path, ttl='1d') as tape:
        model = OpenAIChatModel('m', base_url=server.base_url)
        with pytest.raises(Exception, match='400'):
            ask(model)
        assert ask(model) == 'fine'
        assert ask(model) == 'fine'
    assert tape.played == 1


# --- processes --------------------------------------------------------------------------------------------------------

WRITER = """
import sys
from syncai import ModelRequest, model_request_sync
from syncai.models.openai import OpenAIChatModel
from syncai.tape import Tape
model = OpenAIChatModel('m', base_url=sys.argv[1])
with Tape(sys.argv[2], mode=sys.argv[4]):
    for number in range(5):
        model_request_sync(model, [ModelRequest.user_text_prompt(f'{sys.argv[3]} {number}')])
"""


@pytest.mark.slow
@pytest.mark.parametrize('mode', ['once', 'refresh'])
def test_processes_that_share_a_file_each_add_their_part(mode: str, server: ModelServer, path: Path) -> None:
    def write(name: str) -> None:
        command = [sys.executable, '-c', WRITER, server.base_url, str(path), name, mode]
        subprocess.run(command, check=True, timeout=60, env=environment)

    began = datetime.now(tz=UTC).isoformat()
    environment = {**os.environ, 'PYTHONPATH': str(ROOT), 'SYNCAI_TAPE_RUN': began}
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(write, 'abc'))
    asked = {e['request']['messages'][0]['request'][0]['user'] for e in json.loads(path.read_text())['exchanges']}
    assert asked == {f'{name} {number}' for name in 'abc' for number in range(5)}


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, 'fork'), reason='no fork on this system')
def test_a_forked_process_writes_what_it_records(server: ModelServer, path: Path) -> None:
    code = f"""
import os
from syncai import ModelRequest, model_request_sync
from syncai.models.openai import OpenAIChatModel
from syncai.tape import Tape
model = OpenAIChatModel('m', base_url={server.base_url!r})
ask = lambda prompt: model_request_sync(model, [ModelRequest.user_text_prompt(prompt)]).text
with Tape({str(path)!r}, mode='once'):
    ask('before')
    if os.fork() == 0:
        ask('child')
        os._exit(0)
    assert os.wait()[1] == 0
    ask('after')
"""
    subprocess.run([sys.executable, '-c', code], check=True, timeout=60, env={**os.environ, 'PYTHONPATH': str(ROOT)})
    asked = {e['request']['messages'][0]['request'][0]['user'] for e in json.loads(path.read_text())['exchanges']}
    assert asked == {'before', 'child', 'after'}


def test_a_text_file_with_what_is_redacted_is_not_written_beside_the_tape(model: OpenAIChatModel, path: Path) -> None:
    files = [BinaryContent(b'mail: ada@example.org', 'text/plain'), BinaryContent(b'fine', 'text/plain')]
    with Tape(path, mode='once', redact=r'\S+@\S+'):
        Agent(model).run_sync(['read', *files])
    assert [file.read_bytes() for file in (path.parent / 'x.files').iterdir()] == [b'fine']


LIMITED = """
import resource, signal, sys
from syncai import ModelRequest, model_request_sync
from syncai.exceptions import TapeError
from syncai.models.openai import OpenAIChatModel
from syncai.tape import Tape

model = OpenAIChatModel('m', base_url=sys.argv[1])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
try:
    with Tape(sys.argv[2], mode='once'):
        answer = model_request_sync(model, [ModelRequest.user_text_prompt('b' * 5000)])
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
except TapeError as error:
    print(answer.text[:10], error)
"""


@pytest.mark.skipif(sys.platform == 'win32', reason='no limits of processes on this system')
def test_a_file_that_may_not_grow_is_an_error_and_the_tape_is_as_it_was(
    server: ModelServer, model: OpenAIChatModel, path: Path
) -> None:
    """The system itself refuses to write: half a file is begun beside the tape, and taken away."""
    with Tape(path, mode='once'):
        ask(model, 'a')
    before = path.read_bytes()
    command = [sys.executable, '-c', LIMITED, server.base_url, str(path)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=True, env={**os.environ, 'PYTHONPATH': str(ROOT)}
    )
    assert 'You said: ' in done.stdout
    assert 'File too large' in done.stdout
    assert 'The file is as it was; 1 new answers are not on it' in done.stdout
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ['x.json']
