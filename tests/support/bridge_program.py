"""A program that uses the bridge, in a separate process."""

from __future__ import annotations

import subprocess
import sys
import textwrap

PRELUDE = """
import asyncio, atexit, os, signal, socket, sys, threading, time, warnings
from syncai._bridge import *
async def one(): return 1
async def forever(_=None):
    await asyncio.sleep(3600)
"""


def run(code: str, *, expect: int = 0, timeout: float = 40) -> str:
    program = PRELUDE + textwrap.dedent(code)
    process = subprocess.run(
        [sys.executable, '-W', 'error', '-c', program], capture_output=True, text=True, timeout=timeout
    )
    assert process.returncode == expect, process.stdout + process.stderr
    assert 'Traceback' not in process.stderr, process.stderr
    return process.stdout
