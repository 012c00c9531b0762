"""Ctrl-C while a streamed run is read, in a separate process."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from syncai.testing import ModelServer, Reply

PROGRAM = """
import sys, time
from syncai import Agent
from syncai.models.openai import OpenAIChatModel
agent = Agent(OpenAIChatModel('m', base_url=sys.argv[1], api_key='k'))
try:
    with agent.run_stream_sync('hi') as stream:
        READ
except KeyboardInterrupt:
    (question, answer) = stream.all_messages()
    print('interrupted', answer.incomplete, set(answer.text), stream.usage().requests, flush=True)
with agent.run_stream_sync('hi') as stream:
    print(*stream.stream_text(), flush=True)
"""

READS = {
    'pieces': 'for piece in stream.stream_text(delta=True, debounce_by=None): pass',
    'grouped': 'for text in stream.stream(): pass',
    'the result alone': 'stream.get_data()',
    'the block': 'next(stream.stream_text()); time.sleep(30)',
}


@pytest.mark.slow
@pytest.mark.parametrize('how', READS)
def test_ctrl_c_stops_the_run_and_keeps_what_had_arrived(how: str) -> None:
    with ModelServer() as server:
        server.reply(Reply('x', repeat=100_000, delay_between_events=0.01), Reply('next'))
        child = subprocess.Popen(
            [sys.executable, '-W', 'error', '-c', PROGRAM.replace('READ', READS[how]), server.base_url],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        while not server.requests or server.requests[0].events_sent < 20:
            assert child.poll() is None, child.communicate()
            time.sleep(0.01)
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=20)
        assert (out, err) == ("interrupted True {'x'} 1\nnext\n", '')
        assert server.requests[0].disconnected_at is not None
