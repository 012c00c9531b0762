"""One SQLite file under many threads, processes and forks, and everything that may be wrong with it."""

from __future__ import annotations

import os
import pickle
import resource
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from syncai._stores.sqlite import Part, SQLiteFile
from syncai.exceptions import StoreError, UserError

COUNTS = Part('counts', 1, ('CREATE TABLE counts (name TEXT PRIMARY KEY, value INTEGER NOT NULL)',))
OTHER = Part('others', 3, ('CREATE TABLE others (value BLOB)',))


@pytest.fixture
def file(tmp_path: Path) -> Iterator[SQLiteFile]:
    file = SQLiteFile(tmp_path / 'data.db', COUNTS)
    yield file
    file.close()


def add(file: SQLiteFile, name: str = 'a', times: int = 1) -> None:
    for _ in range(times):
        add_once(file, name)


def add_once(file: SQLiteFile, name: str) -> None:
    with file.writing() as connection:
        row = connection.execute('SELECT value FROM counts WHERE name = ?', (name,)).fetchone()
        value = 1 if row is None else row[0] + 1
        connection.execute('INSERT OR REPLACE INTO counts VALUES (?, ?)', (name, value))


def value(file: SQLiteFile, name: str = 'a') -> int:
    with file.reading() as connection:
        row = connection.execute('SELECT value FROM counts WHERE name = ?', (name,)).fetchone()
    return 0 if row is None else int(row[0])


def refusal(path: Path, part: Part = COUNTS) -> str:
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(UserError) as caught:
        SQLiteFile(path, part).open()
    assert (path.read_bytes() if path.is_file() else None) == before
    return str(caught.value)


# --- files ----------------------------------------------------------------------------------------------------------


def test_a_file_is_made_at_the_first_use(file: SQLiteFile) -> None:
    assert not file.path.exists()
    add(file)
    assert value(file) == 1
    with sqlite3.connect(file.path) as other:
        assert other.execute('PRAGMA application_id').fetchone() == (int.from_bytes(b'sync'),)
        assert other.execute('PRAGMA journal_mode').fetchone() == ('wal',)
    other.close()


def test_an_empty_file_is_a_new_one(tmp_path: Path) -> None:
    (tmp_path / 'data.db').touch()  # as tempfile makes them
    file = SQLiteFile(tmp_path / 'data.db', COUNTS)
    add(file)
    file.close()


def test_parts_share_a_file(file: SQLiteFile) -> None:
    add(file)
    other = SQLiteFile(file.path, OTHER)
    with other.writing() as connection:
        connection.execute('INSERT INTO others VALUES (1)')
    assert value(file) == 1
    other.close()


def test_a_file_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / 'places.sqlite'
    with sqlite3.connect(path) as other:
        other.execute('CREATE TABLE counts (x)')
    other.close()
    assert 'of another program' in refusal(path)


def test_a_file_of_a_newer_version_is_refused(file: SQLiteFile) -> None:
    file.open()
    file.close()
    older = Part('counts', 0, ())
    assert 'has the format 1 of a newer version of syncai' in refusal(file.path, older)
    with sqlite3.connect(file.path) as other:
        other.execute('PRAGMA user_version = 9')
    other.close()
    assert 'Upgrade syncai' in refusal(file.path)


@pytest.mark.parametrize('content', [b'hello', b'x' * 5000, b'SQLite format 3\0' + b'\xff' * 4080])
def test_what_is_no_database_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / 'notes.txt'
    path.write_bytes(content)
    assert 'notes.txt is no SQLite database' in refusal(path)


def test_a_directory_or_a_path_without_one_is_refused(tmp_path: Path) -> None:
    assert 'it is a directory' in refusal(tmp_path)
    assert f'there is no directory {tmp_path / "gone"}' in refusal(tmp_path / 'gone' / 'data.db')
    (tmp_path / 'file').touch()
    assert 'there is no directory' in refusal(tmp_path / 'file' / 'data.db')


@pytest.mark.skipif(os.geteuid() != 0, reason='needs to become another user')
def test_a_file_without_rights_is_refused(tmp_path: Path) -> None:
    file = SQLiteFile(tmp_path / 'data.db', COUNTS)
    add(file)
    file.close()
    assert 'this process may not write it' in refusal_for_another_user(file.path, 0o777)
    assert 'may not write in' in refusal_for_another_user(file.path, 0o755)
    assert 'may not enter it' in refusal_for_another_user(tmp_path / 'shut' / 'deeper' / 'data.db', 0o700)


def refusal_for_another_user(path: Path, mode: int) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    for folder in [*path.parents][:4]:
        folder.chmod(mode if folder == path.parent else 0o711 if mode & 0o7 else 0o700)
    os.seteuid(65534)  # nobody
    try:
        with pytest.raises(UserError) as caught:
            add(SQLiteFile(path, COUNTS))
    finally:
        os.seteuid(0)
    return str(caught.value)


@pytest.mark.parametrize('path', ['', ':memory:', 'file:x.db', 'a\0b', None, 3, b'bytes'])
def test_what_is_no_path_is_refused(path: object) -> None:
    with pytest.raises(UserError):
        SQLiteFile(path, COUNTS)  # type: ignore[arg-type]


def test_a_path_is_kept_over_chdir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = SQLiteFile('data.db', COUNTS)
    monkeypatch.chdir('/')
    add(file)
    assert (tmp_path / 'data.db').exists()
    file.close()


def test_a_file_that_was_deleted_is_made_anew(file: SQLiteFile) -> None:
    add(file)
    for path in file.path.parent.glob('data.db*'):
        path.unlink()
    assert value(file) == 0
    add(file)
    with sqlite3.connect(file.path) as other:
        assert other.execute('SELECT value FROM counts').fetchone() == (1,)
    other.close()


def test_a_damaged_page_is_a_clear_error(file: SQLiteFile) -> None:
    for number in range(500):
        add(file, f'{number:0100}')
    file.close()
    with file.path.open('r+b') as raw:
        raw.seek(2 * 4096)
        raw.write(b'\xff' * 4096 * 10)
    with pytest.raises(UserError, match='is damaged'):
        value(file, f'{1:0100}')
        value(file, f'{300:0100}')


# --- transactions ---------------------------------------------------------------------------------------------------


def test_an_error_undoes_everything(file: SQLiteFile) -> None:
    add(file)
    with pytest.raises(ZeroDivisionError), file.writing() as connection:
        connection.execute('UPDATE counts SET value = 9')
        1 / 0  # noqa: B018
    assert value(file) == 1
    add(file)
    assert value(file) == 2


def test_a_lock_of_another_is_waited_for_and_then_an_error(tmp_path: Path) -> None:
    file = SQLiteFile(tmp_path / 'data.db', COUNTS, wait=0.05)
    file.open()
    other = sqlite3.connect(file.path, isolation_level=None)
    other.execute('BEGIN IMMEDIATE')
    with pytest.raises(StoreError, match='was locked by another writer for 0'):
        add(file)
    assert value(file) == 0  # readers go on
    other.execute('COMMIT')
    other.close()
    add(file)
    file.close()


def test_a_full_disk_is_an_error_and_changes_nothing(tmp_path: Path) -> None:
    # The limit of SQLite's own pages stands for the disk's: https://www.sqlite.org/pragma.html#pragma_max_page_count
    file = SQLiteFile(tmp_path / 'data.db', COUNTS)
    add(file)
    with pytest.raises(StoreError, match='is full'), file.writing() as connection:
        connection.execute('PRAGMA max_page_count = 5')
        connection.execute('INSERT INTO counts VALUES (?, 1)', ('x' * 100_000,))
    assert value(file) == 1
    file.close()


def test_a_file_size_limit_is_an_error_and_changes_nothing(file: SQLiteFile) -> None:
    add(file)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (65_536, limits[1]))  # SIGXFSZ is ignored by Python
    try:
        with pytest.raises(StoreError), file.writing() as connection:
            connection.execute('INSERT INTO counts VALUES (?, 1)', ('x' * 1_000_000,))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert value(file) == 1


def test_threads_lose_nothing(file: SQLiteFile) -> None:
    in_threads(16, lambda: add(file, times=20))
    assert value(file) == 320


def test_no_connection_is_left_when_it_is_closed(file: SQLiteFile) -> None:
    in_threads(20, lambda: add(file))
    file.close()
    assert not [fd for fd in Path('/proc/self/fd').iterdir() if fd.exists() and 'data.db' in str(fd.readlink())]


def test_a_transaction_outlives_close(file: SQLiteFile) -> None:
    with file.writing() as connection:
        file.close()
        connection.execute('INSERT INTO counts VALUES ("a", 7)'.replace('"', "'"))
    assert value(file) == 7


@pytest.mark.slow
def test_processes_lose_nothing(file: SQLiteFile, tmp_path: Path) -> None:
    program = (
        'import sys; from test_sqlite import *; file = SQLiteFile(sys.argv[1], COUNTS)\nfor _ in range(50): add(file)'
    )
    environment = {**os.environ, 'PYTHONPATH': os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    command = [sys.executable, '-W', 'error', '-c', program, str(file.path)]
    processes = [subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    assert [process.communicate()[1] for process in processes] == ['', '', '']
    assert value(file) == 150


# --- forks ----------------------------------------------------------------------------------------------------------


def test_a_fork_has_connections_of_its_own(file: SQLiteFile) -> None:
    add(file)
    release, entered = threading.Event(), threading.Event()

    def hold() -> None:
        with file.reading() as connection:
            connection.execute('SELECT * FROM counts').fetchall()
            entered.set()
            release.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    entered.wait(30)
    children = [forked(lambda: add(file, times=20)) for _ in range(3)]
    for _ in range(20):
        add(file)
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
    release.set()
    thread.join()
    assert value(file) == 81


def test_a_fork_within_a_transaction_ends_it_for_the_child_alone(file: SQLiteFile) -> None:
    def child() -> None:
        with pytest.raises(UserError, match='forked within a transaction'):
            transaction.__exit__(None, None, None)
        assert value(file) == 0

    transaction = file.writing()
    connection = transaction.__enter__()
    connection.execute("INSERT INTO counts VALUES ('a', 1)")
    assert os.waitpid(forked(child), 0)[1] == 0
    transaction.__exit__(None, None, None)
    assert value(file) == 1


def test_it_goes_through_pickle(file: SQLiteFile) -> None:
    add(file)
    again = pickle.loads(pickle.dumps(file))
    assert value(again) == 1
    assert repr(again) == repr(file)
    again.close()


def in_threads(number: int, function: Callable[[], object]) -> None:
    errors: list[BaseException] = []

    def run() -> None:
        try:
            function()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def forked(function: Callable[[], object]) -> int:
    if (pid := os.fork()) == 0:
        code = 1
        try:
            function()
            code = 0
        finally:
            os._exit(code)
    return pid
