"""The server of llama.cpp with the model of the tests: `python llama_server.py FILE`."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import xllamacpp
from llama_model import write_model


def serve(path: Path) -> None:
    write_model(path)
    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.port = 0
    params.n_ctx, params.n_parallel = 16384, 4  # shared: 4,096 for each of those that it answers at once
    params.cpuparams.n_threads = 1
    params.use_jinja = True
    params.warmup = False
    server = xllamacpp.Server(params)
    print('listening on', server.listening_address, flush=True)
    signal.pause()


serve(Path(sys.argv[1]))
