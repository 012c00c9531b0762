"""A process that is stopped for longer than its timeouts, as by Ctrl-Z or `docker pause`, loses no stream."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from syncai.testing import ModelServer, Reply

PROGRAM = """
import sys
from syncai import ModelRequest, model_request_stream_sync
from syncai.models.openai import OpenAIChatModel
from syncai.settings import HttpOptions

options = HttpOptions(idle_timeout=0.5, first_event_timeout=0.5, max_retries=0)
model = OpenAIChatModel('m', base_url=sys.argv[1], api_key='k', http=options)
with model_request_stream_sync(model, [ModelRequest.user_text_prompt('hi')]) as stream:
    for event in stream:
        print('event', flush=True)
    print(stream.get().text)
"""


@pytest.mark.slow
@pytest.mark.parametrize('attempt', range(3))
@pytest.mark.skipif(not hasattr(signal, 'SIGSTOP'), reason='this system stops no processes')
def test_a_stopped_process_reads_what_arrived_before_its_timers_count(attempt: int) -> None:
    with ModelServer() as server:
        server.reply(Reply('word ', repeat=20, delay_between_events=0.05))
        command = [sys.executable, '-c', PROGRAM, server.base_url]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == 'event\n'
            time.sleep(0.1 + attempt * 0.02)
            os.kill(child.pid, signal.SIGSTOP)
            time.sleep(1.5)  # until the server has sent all of it, and every timeout is over
            os.kill(child.pid, signal.SIGCONT)
            out, err = child.communicate(timeout=30)
    assert (child.returncode, err) == (0, '')
    assert out.endswith('word ' * 20 + '\n')
