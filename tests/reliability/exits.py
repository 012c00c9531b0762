"""Programs that end while daemon threads stream: `python tests/reliability/exits.py 60`."""

from __future__ import annotations

import subprocess
import sys

THREADS = 20
PROGRAM = f"""
import asyncio, sys, threading, time
from syncai._bridge import open_sync
begun = threading.Barrier({THREADS} + 1)
async def endless(channel):
    while True:
        await channel.emit([1])
        await asyncio.sleep(0.001)
def work():
    stream = open_sync(endless)
    stream.next_batch()
    begun.wait()
    while stream.next_batch() is not None: pass
    stream.finish()
for _ in range({THREADS}): threading.Thread(target=work, daemon=True).start()
begun.wait()
sys.exit(3)
"""


def main() -> None:
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    codes, noisy = [], 0
    for _ in range(times):
        done = subprocess.run([sys.executable, '-c', PROGRAM], capture_output=True, text=True, timeout=30)
        codes.append(done.returncode)
        noisy += bool(done.stderr)
    print(f'{codes.count(3)} of {times} exits clean with {THREADS} streaming daemon threads; {noisy} printed something')
    sys.exit(codes.count(3) != times or noisy != 0)


if __name__ == '__main__':
    main()
