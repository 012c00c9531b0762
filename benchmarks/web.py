"""One measurement of a web application, under gunicorn: `web.py LIBRARY FRAMEWORK-CASE URL COUNT CLIENTS`.

gunicorn runs one worker of threads in a process of its own; the clients are coroutines of this process. Prints one JSON
object: requests a second, and the CPU time that gunicorn's processes took for a request.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
THREADS = 64


def free_port() -> int:
    """A port that nothing listens on."""
    import socket

    with socket.create_server(('127.0.0.1', 0)) as listening:
        port: int = listening.getsockname()[1]
    return port


def cpu_seconds(master: int) -> float:
    """User and system time of gunicorn's master and workers so far."""
    processes = [master, *(int(child) for child in Path(f'/proc/{master}/task/{master}/children').read_text().split())]
    ticks = 0
    for process in processes:
        fields = Path(f'/proc/{process}/stat').read_text().rpartition(')')[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf('SC_CLK_TCK')


async def fetch(port: int, path: str) -> int:
    """The number of events in the body at `path`, read to its end."""
    reader, writer = await asyncio.open_connection('127.0.0.1', port)
    writer.write(f'GET /{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n'.encode())
    head, _, body = (await reader.read(-1)).partition(b'\r\n\r\n')
    writer.close()
    if not head.startswith(b'HTTP/1.1 200') or not body:
        raise RuntimeError(head.decode(errors='replace') or 'no answer')
    return body.count(b'data: ')


async def load(port: int, path: str, count: int, clients: int) -> tuple[float, int]:
    """Seconds until `count` requests were answered, by `clients` at a time, and the events in the answers."""
    numbers = iter(range(count))
    events = 0

    async def client() -> None:
        nonlocal events
        for _ in numbers:
            of_one = await fetch(port, path)
            events += of_one

    started = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    return time.perf_counter() - started, events


async def until_it_serves(port: int, path: str) -> None:
    """Wait until the application answers."""
    for _ in range(300):
        try:
            await fetch(port, path)
        except (OSError, RuntimeError):
            await asyncio.sleep(0.1)
        else:
            return
    raise RuntimeError('gunicorn did not begin to serve within 30 s')


async def measure(master: int, port: int, path: str, count: int, clients: int) -> dict[str, float]:
    """The figures, after a warm-up."""
    await until_it_serves(port, path)
    await load(port, path, clients, clients)
    cpu = cpu_seconds(master)
    wall, events = await load(port, path, count, clients)
    figures = {'requests_s': count / wall, 'cpu_ms': (cpu_seconds(master) - cpu) / count * 1e3}
    return {**figures, 'events_s': events / wall} if events else figures


def main() -> None:
    """Start gunicorn, measure, stop it."""
    _, library, case, base_url, count, clients = sys.argv
    framework, _, path = case.partition('-')
    port = free_port()
    command = [sys.executable, '-m', 'gunicorn', '--chdir', str(HERE), '--bind', f'127.0.0.1:{port}', '--workers', '1']
    command += ['--worker-class', 'gthread', '--threads', str(THREADS), '--log-level', 'error', 'web_app:application']
    environment = {**os.environ, 'LIBRARY': library, 'FRAMEWORK': framework, 'BASE_URL': base_url}
    with subprocess.Popen(command, env=environment) as gunicorn:
        try:
            print(json.dumps(asyncio.run(measure(gunicorn.pid, port, path, int(count), int(clients)))))
        finally:
            gunicorn.terminate()


if __name__ == '__main__':
    main()
