"""Files of this machine in prompts, and what their bytes show: read where the caller is, before anything is sent."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from syncai import Agent, BinaryContent, ImageUrl, ModelRequest, UserError, model_request_sync
from syncai._base.files import signature_of
from syncai.messages import UserPromptPart
from syncai.models.openai import OpenAIChatModel
from syncai.models.test import TestModel
from syncai.testing import ModelServer, Reply

# The shortest images that the W3C's specifications of the formats allow: one transparent pixel each.
PNG = bytes.fromhex(
    '89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360000002000001'
    '0005fe02fea735810000000049454e44ae426082'
)
GIF = b'GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00'


def model(server: ModelServer) -> OpenAIChatModel:
    return OpenAIChatModel('gpt-5.4-mini', base_url=server.base_url, api_key='key')


def sent_parts(server: ModelServer) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = server.requests[-1].json['messages'][-1]['content']
    return parts


# --- paths ------------------------------------------------------------------------------------------------------------


def test_a_path_in_a_prompt_is_the_file(tmp_path: Path) -> None:
    path = tmp_path / 'a.png'
    path.write_bytes(PNG)
    image = BinaryContent(PNG, 'image/png')
    with ModelServer([Reply('seen')] * 4) as server:
        result = Agent(model(server)).run_sync(['What is this?', path])
        assert sent_parts(server)[1] == {'type': 'image_url', 'image_url': {'url': image.data_url}}
        Agent(model(server)).run_sync(path)
        assert [part['type'] for part in sent_parts(server)] == ['image_url']
        model_request_sync(model(server), [ModelRequest([UserPromptPart(['x', path])])])  # type: ignore[list-item]
        assert sent_parts(server)[1]['image_url']['url'] == image.data_url
        Agent(model(server)).run_sync('And now?', message_history=[ModelRequest([UserPromptPart([path])])])  # type: ignore[list-item]
        assert server.requests[-1].json['messages'][0]['content'][0]['image_url']['url'] == image.data_url
    prompt = result.all_messages()[0].parts[0]
    assert prompt == UserPromptPart(
        ['What is this?', BinaryContent(PNG, 'image/png', filename='a.png')],
        timestamp=prompt.timestamp,  # type: ignore[union-attr]
    )


@pytest.mark.parametrize('way', ['run_sync', 'stream', 'events', 'submit', 'map', 'direct'])
def test_what_cannot_be_read_is_an_error_before_anything_is_sent(way: str, tmp_path: Path) -> None:
    with ModelServer([Reply('x')]) as server:
        agent = Agent(model(server))
        ways: dict[str, Any] = {
            'run_sync': agent.run_sync,
            'stream': agent.run_stream_sync,
            'events': agent.run_stream_events_sync,
            'submit': agent.submit,
            'map': lambda prompt: list(agent.map_sync([prompt])),
            'direct': lambda prompt: model_request_sync(model(server), [ModelRequest([UserPromptPart(prompt)])]),
        }
        with pytest.raises(UserError, match=r"There is no file '.*missing.png'"):
            ways[way](['x', tmp_path / 'missing.png'])
        assert not server.requests


def unreadable(tmp_path: Path, name: str) -> Path:
    path = tmp_path / name
    if name == 'directory':
        path.mkdir()
    elif name == 'fifo':
        os.mkfifo(path)
    elif name == 'in-a-file':
        path.write_bytes(b'x')
        path /= 'a.png'
    else:
        path.write_bytes(b'' if name == 'empty.txt' else b'\x01\x02\x03')
    return path


@pytest.mark.parametrize(
    ('name', 'words'),
    [
        ('directory', "directory' is a directory: name a file in it"),
        ('fifo', "fifo' is not a regular file"),
        ('empty.txt', "empty.txt' is empty"),
        ('data.unknown', r'The media type of .* is unknown: give BinaryContent.from_path\(path, media_type=...\)'),
        ('in-a-file', "a.png' cannot be read: .*Not a directory"),
    ],
)
def test_what_a_path_may_not_name(name: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=words):
        Agent(TestModel()).run_sync(['x', unreadable(tmp_path, name)])


def test_a_path_that_is_not_there_says_where_it_was_looked_for() -> None:
    with pytest.raises(UserError, match=f"There is no file 'no.png' in '{Path.cwd()}'"):
        BinaryContent.from_path(Path('no.png'))
    with pytest.raises(UserError, match=r'write Path\(...\).expanduser\(\)'):
        BinaryContent.from_path(Path('~/no.png'))
    with pytest.raises(UserError, match=r'cannot be read: (stat: )?embedded null'):
        BinaryContent.from_path(Path('a\0b.png'))


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    path = tmp_path / 'a.txt'
    path.write_bytes(b'x' * 11)
    assert BinaryContent.from_path(path, max_bytes=11).data == b'x' * 11
    with pytest.raises(UserError, match=r'has 11 bytes, more than 10: send a smaller one'):
        BinaryContent.from_path(path, max_bytes=10)
    with path.open('wb') as file:
        file.truncate(32 * 1024 * 1024 + 1)  # sparse: it takes no room
    with pytest.raises(UserError, match=r'has 33,554,433 bytes, more than 33,554,432'):
        Agent(TestModel()).run_sync(['x', path])


def test_the_type_of_a_file(tmp_path: Path) -> None:
    def typed(name: str, data: bytes, **options: Any) -> str:
        path = tmp_path / name
        path.write_bytes(data)
        return BinaryContent.from_path(path, **options).media_type

    assert typed('a.PDF', b'%PDF-1.7') == 'application/pdf'
    assert typed('notes.txt', b'hello') == 'text/plain'
    assert typed('upload', GIF) == 'image/gif'
    assert typed('upload', b'\x01', media_type='audio/wav') == 'audio/wav'
    assert BinaryContent.from_path(str(tmp_path / 'a.PDF')).filename == 'a.PDF'
    with pytest.raises(UserError, match='path must be a'):
        BinaryContent.from_path(3)  # type: ignore[arg-type]


def test_text_is_never_taken_for_a_path(tmp_path: Path) -> None:
    path = tmp_path / 'a.png'
    path.write_bytes(PNG)
    with ModelServer([Reply('x')] * 2) as server:
        for prompt in (str(path), ['What is', str(path)]):
            Agent(model(server)).run_sync(prompt)
            assert 'image_url' not in str(server.requests[-1].json)
            assert str(path) in str(server.requests[-1].json)


def test_files_are_read_in_the_thread_of_the_caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / 'a.png'
    path.write_bytes(PNG)
    threads: list[threading.Thread] = []
    opened = Path.open

    def open_and_note(self: Path, *args: Any) -> Any:
        threads.append(threading.current_thread())
        return opened(self, *args)

    monkeypatch.setattr(Path, 'open', open_and_note)
    assert Agent(TestModel()).run_sync(['x', path]).data
    assert threads == [threading.current_thread()]


@pytest.mark.parametrize('executor', [False, True], ids=['here', 'on an executor'])
def test_paths_in_many_prompts(executor: bool, tmp_path: Path) -> None:
    """A thread pool stands for workers on other machines: they have the prompts, and not the files."""
    path = tmp_path / 'a.txt'

    def prompts() -> Iterator[Path]:
        path.write_text('x')
        yield path
        path.unlink()
        yield path

    with ThreadPoolExecutor(1) if executor else nullcontext() as pool:
        first, second = Agent(TestModel()).map_sync(prompts(), executor=pool, return_exceptions=True)
    assert not isinstance(first, Exception)
    prompt = first.all_messages()[0].parts[0]
    assert isinstance(prompt, UserPromptPart)
    assert prompt.content == [BinaryContent(b'x', 'text/plain', filename='a.txt')]
    error = second if isinstance(second, Exception) else getattr(second, 'error', None)
    assert isinstance(error, UserError)


# --- bytes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('data', 'words'),
    [
        ('text', 'data must be bytes, not str: text is part of the prompt itself'),
        (Path('a.png'), r"data is the path 'a.png': read it with BinaryContent.from_path\(path\)"),
        (None, 'data must be bytes, not NoneType'),
        ([1, 2], 'data must be bytes, not list'),
    ],
)
def test_what_is_no_bytes_is_refused_where_it_is_made(data: Any, words: str) -> None:
    with pytest.raises(UserError, match=words):
        BinaryContent(data, 'image/png')


def test_an_open_file_is_refused_with_the_way(tmp_path: Path) -> None:
    (tmp_path / 'a').write_bytes(b'x')
    with (tmp_path / 'a').open('rb') as file, pytest.raises(UserError, match=r'give what its read\(\) returns'):
        BinaryContent(file, 'image/png')  # type: ignore[arg-type]


@pytest.mark.parametrize('media_type', ['png', '', None, 3])
def test_what_is_no_media_type(media_type: Any) -> None:
    with pytest.raises(UserError, match="media_type must be a MIME type such as 'image/png'"):
        BinaryContent(b'x', media_type)


def test_bytes_that_can_change_are_copied() -> None:
    data = bytearray(b'abc')
    content = BinaryContent(data, 'text/plain')  # type: ignore[arg-type]
    data[0] = 0
    assert content.data == b'abc'
    assert BinaryContent(memoryview(b'abc'), 'text/plain') == content  # type: ignore[arg-type]
    assert hash(content)


@pytest.mark.parametrize(
    ('data', 'called', 'shown'),
    [
        (PNG, 'image/jpeg', 'image/png'),
        (b'\xff\xd8\xff\xe0', 'image/png', 'image/jpeg'),
        (GIF, 'image/webp', 'image/gif'),
        (b'RIFF\x24\x00\x00\x00WEBPVP8 ', 'image/png', 'image/webp'),
        (b'%PDF-1.4\n', 'image/png', 'application/pdf'),
        (PNG, 'application/pdf', 'image/png'),
        (b'%PDF-1.4\n', 'text/plain', 'application/pdf'),
        (PNG, 'application/octet-stream', 'image/png'),
        (b'RIFF\x24\x00\x00\x00WAVEfmt ', 'image/png', 'audio/wav'),
        (b'RIFF\x24\x00\x00\x00WAVEfmt ', 'audio/mp3', 'audio/wav'),
        (b'ID3\x04', 'audio/wav', 'audio/mpeg'),
        (b'fLaC\x00', 'audio/mpeg', 'audio/flac'),
        (b'OggS\x00', 'audio/wav', 'audio/ogg'),
        (b'\x00\x00\x00\x20ftypisom', 'video/webm', 'video/mp4'),
        (b'\x1aE\xdf\xa3', 'video/mp4', 'video/webm'),
    ],
)
def test_a_type_that_contradicts_the_signature_is_corrected(
    data: bytes, called: str, shown: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, 'syncai'):
        assert BinaryContent(data, called).media_type == shown
    assert caplog.messages == [f'A file with the media type {called} begins like {shown}, and is sent as that type']


@pytest.mark.parametrize(
    ('data', 'called'),
    [
        (PNG, 'image/png'),
        (PNG, 'IMAGE/PNG; q=1'),
        (b'\xff\xd8\xff\xe0', 'image/jpg'),
        (b'PK\x03\x04', 'application/vnd.openxmlformats-officedocument.wordprocessingml.document'),
        (b'OggS\x00', 'audio/opus'),
        (b'\x1aE\xdf\xa3', 'audio/webm'),
        (b'\x00\x00\x00\x20ftypisom', 'audio/mp4'),
        (b'ID3\x04', 'audio/mp3'),
        (b'ID3\x04', 'audio/aac'),
        (b'\x00\x00\x00\x20ftypqt  ', 'video/mp4'),
        (b'\x00\x00\x00\x20ftypmp42', 'audio/x-m4a'),
        (b'RIFF\x24\x00\x00\x00WAVEfmt ', 'audio/x-wav'),
        (b'no signature', 'image/png'),
        (b'', 'image/png'),
    ],
)
def test_a_type_that_fits_stays(data: bytes, called: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, 'syncai'):
        assert BinaryContent(data, called).media_type == called
    assert not caplog.messages


def test_signatures() -> None:
    assert signature_of(b'\x00\x00\x00\x18ftypheic') == 'image/heic'
    assert signature_of(b'RIFF\x00\x00\x00\x00????') is None
    assert signature_of(b'hello') is None


def test_a_file_as_an_address_names_the_way() -> None:
    with pytest.raises(UserError, match=r'BinaryContent.from_path\(path\), or a pathlib.Path in the prompt'):
        Agent(TestModel()).run_sync(['x', ImageUrl('photo.png')])
