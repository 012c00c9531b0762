"""`kill -9` at any moment of a batch: each row is in one job, and comes back once."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from batch_servers import asked
from sampling import rounds

from syncai.journal import Journal
from syncai.testing import BatchPlan, ModelServer, RecordedRequest, Reply

ROWS, KILLS = rounds(300), rounds(6)
PROGRAM = """
import sys
from syncai import Agent
from syncai.batch import _finding
from syncai.models import {module}
from syncai.models._http.batches import BatchLimits
from syncai.models._{folder}.batches import {batches}

_finding.SETTLED_AFTER = 0.2
base_url, journal = sys.argv[1:]
model = {module}.{model}('a-model', base_url=base_url, api_key='k')
kind = type(model)
api = kind._batches.fget


def limited(self):
    batches = api(self)
    batches.limits = BatchLimits(40, 10**6)
    return batches


kind._batches = property(limited)
print('begun', flush=True)
job = Agent(model).batch([f'row {{n}}' for n in range({rows})], journal=journal)
for row in job.results(interval=0.02):
    assert row.data == f'you said {{row.prompt}}', row
print('ended', flush=True)
"""
OPENAI = {'module': 'openai', 'model': 'OpenAIChatModel', 'folder': 'chat', 'batches': 'FileBatches'}
ANTHROPIC = {'module': 'anthropic', 'model': 'AnthropicModel', 'folder': 'anthropic', 'batches': 'AnthropicBatches'}


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.parametrize('names', [OPENAI, ANTHROPIC], ids=['openai', 'anthropic'])
def test_killed_at_random_times(names: dict[str, str], tmp_path: Path) -> None:
    answered, lock = Counter[str](), threading.Lock()

    def echo(request: RecordedRequest) -> Reply:
        with lock:
            answered[asked(request)] += 1
        return Reply(f'you said {asked(request)}', usage=(3, 2))

    journal, when = str(tmp_path / 'run.sqlite'), random.Random(7)
    with ModelServer(echo, batches=BatchPlan(polls=2)) as server:
        command = [sys.executable, '-c', PROGRAM.format(**names, rows=ROWS), server.base_url, journal]
        for _ in range(KILLS):
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
                assert process.stdout is not None
                assert process.stdout.readline() == 'begun\n'
                time.sleep(when.uniform(0.0, 0.35))
                process.send_signal(signal.SIGKILL)
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert ended.stdout == 'begun\nended\n', ended.stderr[-2000:]
    assert Journal(journal).counts() == {'done': ROWS, 'failed': 0, 'claimed': 0, 'sent': 0}
    assert {row: times for row, times in answered.items() if times != 1} == {}
    assert len(answered) == ROWS
