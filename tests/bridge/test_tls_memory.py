"""The memory of a TLS connection of the loop thread while its answer streams, by the allocator of the system."""

from __future__ import annotations

import contextlib
import json
import platform
import subprocess
import sys
from pathlib import Path

import pytest
import trustme

CONNECTIONS = 60
SERVER = """
import asyncio, ssl, sys
async def serve(reader, writer):
    await reader.readline()
    while True:
        writer.write(b'x' * 200)
        await asyncio.sleep(0.05)
async def main():
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(sys.argv[1])
    server = await asyncio.start_server(serve, '127.0.0.1', 0, ssl=context)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    sys.exit()
asyncio.run(main())
"""
CLIENT = """
import asyncio, ctypes, gc, json, ssl, sys
from syncai._bridge.event_loop import BridgeLoop
class Info(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in (*'abcde', 'f', 'g', 'used', 'free', 'keep')]
libc = ctypes.CDLL(None)
libc.mallinfo2.restype = Info
class Reader(asyncio.Protocol):
    received = 0
    def data_received(self, data):
        self.received += len(data)
context = ssl.create_default_context(cafile=sys.argv[1])
loop = BridgeLoop()
async def one():
    transport, reader = await loop.create_connection(
        Reader, '127.0.0.1', int(sys.argv[2]), ssl=context, server_hostname='127.0.0.1')
    transport.write(b'go\\n')
    while reader.received < 1000:
        await asyncio.sleep(0.01)
    return transport
async def main():
    kept = [await one()]
    gc.collect()
    before = libc.mallinfo2().used
    kept += await asyncio.gather(*(one() for _ in range(int(sys.argv[3]))))
    gc.collect()
    print(json.dumps((libc.mallinfo2().used - before) / int(sys.argv[3])))
    for transport in kept:
        transport.abort()
    await asyncio.sleep(0.05)
loop.run_until_complete(main())
loop.close()
"""


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != 'glibc', reason='asks the allocator of glibc')
def test_no_buffer_is_kept_for_each_stream(tmp_path: Path) -> None:
    """OpenSSL makes a buffer to write, of 16.5 kB, when the tickets of TLS 1.3 come (RFC 8446, 4.6.1), and keeps it."""
    authority, own = trustme.CA(), tmp_path / 'own.pem'
    authority.cert_pem.write_to_path(str(tmp_path / 'ca.pem'))
    authority.issue_cert('127.0.0.1').private_key_and_cert_chain_pem.write_to_path(str(own))
    with subprocess.Popen(
        [sys.executable, '-c', SERVER, str(own)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        port = server.stdout.readline().strip()
        command = [sys.executable, '-c', CLIENT, str(tmp_path / 'ca.pem'), port, str(CONNECTIONS)]
        client = subprocess.run(command, capture_output=True, text=True, timeout=40, check=False)
        with contextlib.suppress(ProcessLookupError):
            server.kill()
    assert client.returncode == 0, client.stderr
    assert json.loads(client.stdout) < 33_000  # 41 kB with such a buffer, 25 kB without
