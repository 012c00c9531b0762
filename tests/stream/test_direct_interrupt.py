"""Ctrl-C while a real request is under way, in a separate process."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import time

import pytest

from syncai.testing import ModelServer, Reply

PROGRAM = """
import asyncio, sys, time
from syncai import ModelRequest, model_request_stream_sync, model_request_sync
from syncai.models.openai import OpenAIChatModel
model = OpenAIChatModel('m', base_url=sys.argv[1], api_key='k')
question = [ModelRequest.user_text_prompt('hi')]
try:
    {wait}
except KeyboardInterrupt:
    print('interrupted', flush=True)
print(model_request_sync(model, question).text, flush=True)
"""

WAITS = {
    'whole answer': 'model_request_sync(model, question)',
    'before the first event': """
    with model_request_stream_sync(model, question) as stream:
        stream.get()""",
    'between events': """
    with model_request_stream_sync(model, question) as stream:
        for event in stream: pass""",
    'in the block': """
    with model_request_stream_sync(model, question) as stream:
        next(iter(stream)); time.sleep(30)""",
    # Ctrl-C raises nothing there: it cancels the task, whose loop stands still.
    'whole answer inside asyncio.run': """
    async def main():
        try:
            model_request_sync(model, question)
        except asyncio.CancelledError:
            print('cancelled', model_request_sync(model, question).text, flush=True)
            raise
    asyncio.run(main())""",
    'between events inside asyncio.run': """
    async def main():
        with model_request_stream_sync(model, question) as stream:
            for event in stream: pass
    asyncio.run(main())""",
}


@pytest.mark.slow
@pytest.mark.parametrize('where', WAITS)
def test_ctrl_c_stops_the_request_and_the_next_call_works(where: str) -> None:
    streaming = where.startswith(('between events', 'in the block'))
    slow = Reply('x', repeat=100_000, delay_between_events=0.01) if streaming else Reply('x', delay_headers=60)
    with ModelServer() as server:
        server.reply(slow, *(Reply('next') for _ in range(2)))
        program = textwrap.dedent(PROGRAM).format(wait=WAITS[where])
        child = subprocess.Popen(
            [sys.executable, '-W', 'error', '-c', program, server.base_url],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        while not server.requests or (streaming and server.requests[0].events_sent < 5):
            assert child.poll() is None, child.communicate()
            time.sleep(0.01)
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=20)
        cleaned_up = 'cancelled next\n' if where == 'whole answer inside asyncio.run' else ''
        assert (out, err) == (f'{cleaned_up}interrupted\nnext\n', '')
        assert server.requests[0].disconnected_at is not None
        assert server.requests[0].finished_at is None
