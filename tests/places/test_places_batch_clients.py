"""The providers' own clients drive the batch APIs of `ModelServer`: its shapes are those that they can read.

The clients are the packages openai, anthropic, groq, mistralai and google-genai in an environment of their own, since
they pin much of what they use; what they do is in batch_clients.py, and knows nothing of syncai.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from batch_servers import echo
from serving import PLACES, only_in_make_places

from syncai.testing import BatchPlan, ModelServer

only_in_make_places()
CLIENTS = shutil.which(os.environ.get('SYNCAI_CLIENTS') or '')
if CLIENTS is None:
    pytest.skip(
        'no clients of providers: name the Python of an environment with the group `clients` with SYNCAI_CLIENTS',
        allow_module_level=True,
    )


@pytest.mark.parametrize(
    'client',
    ['openai', 'groq', 'openai_responses', 'anthropic', 'mistral', 'mistral_inline', 'gemini', 'gemini_inline'],
)
def test_a_client_reads_all_that_the_server_writes(client: str, tmp_path: Path) -> None:
    with ModelServer(echo, batches=BatchPlan(polls=1)) as server:
        address = server.base_url.removesuffix('/v1')
        done = subprocess.run(
            [str(CLIENTS), str(PLACES / 'batch_clients.py'), client, address, str(tmp_path)],
            env={'PATH': os.environ['PATH'], 'HOME': str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
