"""Streams of FastAPI under uvicorn, with the garbage collector off: who closes them when the client leaves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import LONG, Program, asked_model, only_in_make_places

from syncai.testing import ModelServer

__all__ = ['asked_model']
only_in_make_places()

OWNED = ['asynchronous', 'dependency', 'background']


@pytest.fixture
def site(asked_model: ModelServer, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Program]:
    seconds = getattr(request, 'param', '600')
    command = ['uvicorn', 'fastapi_app:app', '--port', '0', '--timeout-graceful-shutdown', '2']
    with Program(*command, log=tmp_path / 'log', MODEL_URL=asked_model.base_url, READER_TIMEOUT=seconds) as program:
        yield program.serves(r'running on http://127\.0\.0\.1:(\d+)')


def leave(site: Program, path: str) -> None:
    """Read the beginning of a stream and hang up."""
    response = site.open(path)
    response.read(5)
    response.close()


@pytest.mark.parametrize('form', OWNED)
def test_a_client_that_leaves_stops_the_stream(form: str, site: Program, asked_model: ModelServer) -> None:
    assert site.get(f'/{form}/long') == 'x' * LONG
    leave(site, f'/{form}/endless')
    assert asked_model.wait_for_disconnect(timeout=5).finished_at is None
    assert site.get(f'/{form}/long') == 'x' * LONG
    assert 'Traceback' not in site.output, site.output


@pytest.mark.parametrize('site', ['1.5'], indirect=True)
def test_a_stream_that_nobody_closes_ends_at_the_timeout_of_its_reader(site: Program, asked_model: ModelServer) -> None:
    assert site.get('/left_alone/long') == 'x' * LONG
    leave(site, '/left_alone/endless')
    assert asked_model.wait_for_disconnect(timeout=10).finished_at is None


def test_what_nobody_closes_stays_open(site: Program, asked_model: ModelServer) -> None:
    """Why the documentation shows other forms. When this fails, Starlette closes generators: say so there."""
    leave(site, '/left_alone/endless')
    with pytest.raises(TimeoutError):
        asked_model.wait_for_disconnect(timeout=2)
