"""Django's views of both kinds, under uvicorn."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from serving import LONG, Program, asked_model, only_in_make_places

from syncai.testing import ModelServer

__all__ = ['asked_model']
only_in_make_places()


@pytest.fixture
def site(asked_model: ModelServer, tmp_path: Path) -> Iterator[Program]:
    command = ['uvicorn', 'asgi_site:application', '--port', '0', '--timeout-graceful-shutdown', '2']
    with Program(*command, log=tmp_path / 'log', MODEL_URL=asked_model.base_url) as program:
        yield program.serves(r'running on http://127\.0\.0\.1:(\d+)')


@pytest.mark.parametrize('view', ['ask', 'ask_in_async', 'ask_later'])
def test_calls(view: str, site: Program, asked_model: ModelServer) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(site.get, [f'/{view}/slow'] * 8)) == ['answer'] * 8
    served = asked_model.requests
    overlap = max(r.received_at for r in served) < min(r.finished_at or 0 for r in served)
    assert overlap == (view != 'ask_in_async')  # which holds up the loop and with it the other requests
    assert 'Traceback' not in site.output


@pytest.mark.parametrize('view', ['stream_later', 'stream'])
def test_streams(view: str, site: Program) -> None:
    assert site.get(f'/{view}/long') == 'x' * LONG


def test_a_client_that_leaves_stops_the_stream(site: Program, asked_model: ModelServer) -> None:
    response = site.open('/stream_later/endless')
    response.read(5)
    response.close()
    assert asked_model.wait_for_disconnect(timeout=5).finished_at is None
    assert site.get('/ask_later/short') == 'answer'


def test_sigterm_in_the_middle_of_a_stream(site: Program, asked_model: ModelServer) -> None:
    with site.open('/stream_later/endless') as response:
        response.read(5)
        assert site.stop(signal.SIGTERM) < 5, site.output
    assert asked_model.wait_for_disconnect(timeout=3).finished_at is None
