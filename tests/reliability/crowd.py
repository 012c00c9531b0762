"""Many browsers that come and leave at random, under gunicorn's threads: the resources of the worker afterwards.

    python tests/reliability/crowd.py [CLIENTS] [SECONDS] [THREADS] [SEED]

Each client asks for one of several kinds of streams (words, slow words, silence, tools on the loop thread and in a
worker thread, errors), reads for a random time or to the end, and leaves by closing, by a reset, by closing its sending
side alone, or with a request sent ahead. More clients than threads wait in gunicorn's queue, so that some have left
before they are served. At the end the worker must hold the descriptors, threads, tasks and calls that it held before,
and nothing may go on at the provider. Prints one JSON object; the exit status is 1 where something is left.
"""

from __future__ import annotations

import asyncio
import collections
import json
import os
import random
import socket
import struct
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from crowd_model import answer

from syncai.testing import ModelServer

HERE = Path(__file__).resolve().parent
KINDS = ('words', 'words', 'slow', 'silent', 'late', 'consult', 'look', 'fails', 'breaks')
WAYS = ('close', 'reset', 'half-close', 'ahead', 'read')
LONGEST_VISIT = 3.0  # seconds
LONGEST_STAY = 12.0
LONGEST_ABSENCE = 1.0
QUIET = 20.0  # seconds in which stopped calls must end
RESET = struct.pack('ii', 1, 0)  # SO_LINGER: close by a reset


class Crowd:
    """The clients, as coroutines of one loop."""

    def __init__(self, port: int, seed: int, longest_stay: float) -> None:
        self.port = port
        self.longest_stay = longest_stay  # seconds
        self.chance = random.Random(seed)
        self.visits: collections.Counter[str] = collections.Counter()
        self.read_out = 0
        self.refused = 0

    async def come_and_go(self, clients: int, seconds: float) -> None:
        """Run until the time is over and the last client has left."""
        end = time.monotonic() + seconds
        await asyncio.gather(*[self._client(end) for _ in range(clients)])

    async def _client(self, end: float) -> None:
        await asyncio.sleep(self.chance.uniform(0, LONGEST_ABSENCE))
        while time.monotonic() < end:
            kind, way = self.chance.choice(KINDS), self.chance.choice(WAYS)
            try:
                await self._visit(kind, way)
                self.visits[way] += 1
            except OSError:  # gunicorn's queue is full: a browser would try again
                self.refused += 1
            await asyncio.sleep(self.chance.uniform(0, LONGEST_ABSENCE))

    async def _visit(self, kind: str, way: str) -> None:
        reader, writer = await asyncio.open_connection('127.0.0.1', self.port)
        try:
            request = f'GET /{kind} HTTP/1.1\r\nHost: x\r\n\r\n'.encode()
            writer.write(request * 2 if way == 'ahead' else request)
            stays = self.longest_stay if way == 'read' else self.chance.uniform(0, LONGEST_VISIT) ** 2 / LONGEST_VISIT
            await self._read(reader, stays)
            if way == 'half-close':  # it would still read
                writer.write_eof()
                await self._read(reader, 1.0)
        finally:
            self._leave(writer, way)

    async def _read(self, reader: asyncio.StreamReader, seconds: float) -> None:
        end, tail = time.monotonic() + seconds, b''
        while (left := end - time.monotonic()) > 0:
            try:
                async with asyncio.timeout(left):
                    piece = await reader.read(4096)
            except TimeoutError:
                return
            tail = (tail + piece)[-200:]
            if not piece or b'[DONE]' in tail:
                self.read_out += 1
                return

    @staticmethod
    def _leave(writer: asyncio.StreamWriter, way: str) -> None:
        own = writer.get_extra_info('socket')
        if way == 'reset' and own is not None and own.fileno() >= 0:
            own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        writer.close()


@contextmanager
def worker(base_url: str, threads: int) -> Iterator[int]:
    """The port of gunicorn with one worker of threads."""
    with socket.create_server(('127.0.0.1', 0)) as free:
        port: int = free.getsockname()[1]
    command = [sys.executable, '-m', 'gunicorn', '--chdir', str(HERE), '-b', f'127.0.0.1:{port}', '-w', '1']
    command += ['-k', 'gthread', '--threads', str(threads), '--worker-connections', '2000', '--backlog', '2048']
    command += ['--log-level', 'error', 'crowd_app:application']
    path = os.pathsep.join([str(HERE), str(HERE.parents[1])])
    environment = {**os.environ, 'PYTHONPATH': path, 'MODEL_URL': base_url}
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:  # it logs each error
        try:
            settled(lambda: held(port) is not None, 30)
            yield port
        finally:
            process.terminate()


def held(port: int) -> dict[str, int] | None:
    """The resources of the worker, or None if it does not answer."""
    try:
        with urllib.request.urlopen(f'http://127.0.0.1:{port}/held', timeout=QUIET) as response:
            counts: dict[str, int] = json.load(response)
    except OSError:
        return None
    return counts


def settled(condition: Any, seconds: float = QUIET) -> bool:
    """Whether the condition became true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def going_on(server: ModelServer) -> int:
    """The requests that the provider still answers."""
    return sum(request.finished_at is None and request.disconnected_at is None for request in server.requests)


def measure(clients: int, seconds: float, threads: int, seed: int) -> dict[str, Any]:
    """The figures."""
    with ModelServer(answer, process=True) as server, worker(server.base_url, threads) as port:
        asyncio.run(Crowd(port, seed, 2).come_and_go(2 * threads, 2))  # all threads are there, all modules are loaded
        settled(lambda: server.connections == 0)
        before = held(port)
        assert before, 'gunicorn does not answer'
        crowd, began, known = Crowd(port, seed, min(LONGEST_STAY, seconds)), time.monotonic(), len(server.requests)
        asyncio.run(crowd.come_and_go(clients, seconds))
        took = time.monotonic() - began
        kept = ('descriptors', 'threads', 'tasks', 'open calls')
        settled(
            lambda: server.connections == 0 and (now := held(port)) and all(now[name] <= before[name] for name in kept)
        )
        after = held(port)
        assert after, 'gunicorn does not answer'
        return {
            'clients': clients,
            'seconds': round(took, 1),
            'visits': sum(crowd.visits.values()),
            **{f'left by {way}' if way != 'read' else 'stayed': crowd.visits[way] for way in WAYS},
            'read to the end': crowd.read_out,
            'refused': crowd.refused,
            'requests of the model': len(server.requests) - known,
            **{f'{name} left': after[name] - before[name] for name in kept},
            'connections left': server.connections,
            'requests left': going_on(server),
            'resident MiB': [before['resident MiB'], after['resident MiB']],
        }


def main() -> None:
    clients, seconds, threads, seed = [
        int(word) for word in (sys.argv[1:] + ['500', '120', '64', '0'][len(sys.argv) - 1 :])
    ]
    figures = measure(clients, seconds, threads, seed)
    print(json.dumps({'python': sys.version.split()[0], **figures}))
    sys.exit(any(count > 0 for name, count in figures.items() if name.endswith(' left')))


if __name__ == '__main__':
    main()
