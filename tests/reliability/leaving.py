"""The time until the provider notices that the browser has left, by server and by phase of the run.

    python tests/reliability/leaving.py [TIMES] [SERVER ...]

A client reads the first event, leaves at the phase, and the model server notes when its own client, the application,
hangs up. In the phase `half` it closes its sending side alone, in `pipelined` it sends its next request first. The
servers are those of the dependency group `places`, and nginx; gunicorn with gevent runs by the Python that
`GEVENT_PYTHON` names, Apache with mod_wsgi and a virtual environment of its Python that `MOD_WSGI_HOME` names. Prints a
row of the table in docs/reliability.md for each server and phase.
"""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from syncai.testing import ModelServer, RecordedRequest, Reply, ToolCall

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
PHASES = ('before', 'silent', 'tool', 'between', 'half', 'pipelined')
WSGIREF = (
    'import socketserver; from wsgiref.simple_server import WSGIServer, make_server;'
    'from leaving_app import application;'
    'T = type("T", (socketserver.ThreadingMixIn, WSGIServer), {{}});'
    'make_server("127.0.0.1", {port}, application, T).serve_forever()'
)
WERKZEUG = (
    'from werkzeug.serving import run_simple; from leaving_app import application;'
    'run_simple("127.0.0.1", {port}, application, threaded=True)'
)
RUNSERVER = (
    'from django.conf import settings; settings.configure(); from django.core.servers.basehttp import run;'
    'from leaving_app import application; run("127.0.0.1", {port}, application, threading=True)'
)
GUNICORN = ['-m', 'gunicorn', '-b', '127.0.0.1:{port}', '-w', '1', '--log-level', 'error', 'leaving_app:application']
UWSGI = ['--http-socket', '127.0.0.1:{port}', '--module', 'leaving_app:application', '--threads', '4', '--master']
SERVERS = {
    'gunicorn sync': [sys.executable, *GUNICORN, '-k', 'sync'],
    'gunicorn gthread': [sys.executable, *GUNICORN, '-k', 'gthread', '--threads', '8'],
    'gunicorn gevent': [os.environ.get('GEVENT_PYTHON', sys.executable), *GUNICORN, '-k', 'gevent'],
    'Werkzeug': [sys.executable, '-c', WERKZEUG],
    'wsgiref': [sys.executable, '-c', WSGIREF],
    'runserver': [sys.executable, '-c', RUNSERVER],
    'uWSGI http-socket': [str(BIN / 'uwsgi'), *UWSGI, '--enable-threads', '--die-on-term', '--disable-logging'],
    'uvicorn': [str(BIN / 'uvicorn'), '--port', '{port}', '--log-level', 'error', 'leaving_app:asgi'],
    'waitress, keep-alive 0.5 s': [
        str(BIN / 'waitress-serve'),
        '--listen',
        '127.0.0.1:{port}',
        'leaving_app:application',
    ],
    'nginx, gunicorn gthread': ['nginx', '-c', '{folder}/nginx.conf', '-p', '{folder}'],
    'Apache, mod_wsgi, keep-alive 0.5 s': ['apache2', '-D', 'FOREGROUND', '-f', '{folder}/apache.conf'],
}
# All settings are the defaults, except for the address and the directory of files.
NGINX_CONF = """
daemon off; pid {folder}/pid; error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://127.0.0.1:{behind}; }} }}
}}
"""
APACHE_CONF = """
ServerName localhost
Listen 127.0.0.1:{port}
User www-data
Group www-data
PidFile {folder}/pid
ErrorLog {folder}/error.log
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule wsgi_module /usr/lib/apache2/modules/mod_wsgi.so
WSGISocketPrefix {folder}/wsgi
WSGIDaemonProcess app processes=1 threads=8 python-home={home} python-path={path}
WSGIProcessGroup app
WSGIApplicationGroup %{{GLOBAL}}
WSGIScriptAlias / {here}/leaving_app.py
<Directory {here}>
    Require all granted
</Directory>
"""


def answer(request: RecordedRequest) -> Reply:
    prompt = str(request.json['messages'][-1]['content'])
    if 'before' in prompt or 'within' in prompt:
        return Reply('late', delay_headers=120)
    if 'tool' in prompt:
        return Reply(tool_calls=[ToolCall('consult', '{}')])
    return Reply('word', repeat=10_000, delay_between_events=0.05 if 'between' in prompt else 120)


class Client:
    """One browser, which leaves at a phase."""

    def __init__(self, port: int, phase: str, model: ModelServer) -> None:
        known = len(model.requests)
        self.socket = socket.create_connection(('127.0.0.1', port), 10)
        self.socket.sendall(f'GET /{phase} HTTP/1.1\r\nHost: x\r\n\r\n'.encode())
        wanted = {'tool': b'tool-input-available', 'between': b'text-delta'}.get(phase, b'start-step')
        seen = b''
        while wanted not in seen:
            piece = self.socket.recv(4096)
            if not piece:
                raise RuntimeError(f'nothing came: {seen!r}')
            seen += piece
        self.last = known + (1 if phase == 'tool' else 0)  # the number of the request that is open
        self._wait(lambda: len(model.requests) > self.last)
        if phase in ('silent', 'half', 'pipelined'):  # after the head of an answer that then says nothing
            self._wait(lambda: model.requests[self.last].events_sent > 0)
        time.sleep(0.05)

    def leave(self, phase: str, model: ModelServer, patience: float) -> float:
        """The seconds until the provider noticed it."""
        began = time.monotonic()
        if phase == 'pipelined':
            self.socket.sendall(b'GET / HTTP/1.1\r\nHost: x\r\n\r\n')
        if phase == 'half':
            self.socket.shutdown(socket.SHUT_WR)
        else:
            self.socket.close()
        self._wait(lambda: model.requests[self.last].disconnected_at is not None, patience)
        self.socket.close()
        return (model.requests[self.last].disconnected_at or 0) - began

    def _wait(self, condition, seconds: float = 10.0) -> None:  # type: ignore[no-untyped-def]
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError('the provider did not see it')
            time.sleep(0.002)


def measure(name: str, times: int) -> None:
    slow = 'keep-alive' in name
    with ModelServer(answer) as model, TemporaryDirectory() as folder, ExitStack() as stack:
        path = os.pathsep.join([str(HERE), str(HERE.parents[1])])
        environment = {**os.environ, 'PYTHONPATH': path, 'MODEL_URL': model.base_url}
        environment['KEEPALIVE'] = '0.5' if slow else '15'
        environment['PATH'] = f'{BIN}{os.pathsep}{os.environ["PATH"]}{os.pathsep}/usr/sbin'
        behind = stack.enter_context(served('gunicorn gthread', environment)) if name.startswith('nginx') else 0
        port = stack.enter_context(served(name, environment, folder, behind))
        for phase in PHASES:
            rounds = min(times, 10) if slow or (name.startswith('nginx') and phase == 'half') else times
            try:
                seconds = [Client(port, phase, model).leave(phase, model, 6.0) for _ in range(rounds)]
            except TimeoutError as error:  # a write to such a client succeeds
                print(f'| {name} | {phase} | {error} | |', flush=True)
            else:
                print(f'| {name} | {phase} | {statistics.median(seconds):.3f} | {max(seconds):.3f} |', flush=True)


@contextmanager
def served(name: str, environment: dict[str, str], folder: str = '', behind: int = 0) -> Iterator[int]:
    """A server that answers; its port."""
    with socket.create_server(('127.0.0.1', 0)) as free:
        port = free.getsockname()[1]
    places = {'folder': folder, 'port': port, 'behind': behind, 'here': HERE}
    places |= {'path': environment['PYTHONPATH'], 'home': os.environ.get('MOD_WSGI_HOME', sys.prefix)}
    for file, text in (('nginx.conf', NGINX_CONF), ('apache.conf', APACHE_CONF)):
        if folder:
            Path(folder).chmod(0o755)  # for the user of Apache's worker processes
            Path(folder, file).write_text(text.format(**places))
    command = [
        part.replace('{port}', str(port)).replace('{folder}', folder).replace('{{}}', '{}') for part in SERVERS[name]
    ]
    quiet = {'stdout': subprocess.DEVNULL, 'stderr': subprocess.DEVNULL}
    server = subprocess.Popen(command, env=environment, **quiet)  # type: ignore[call-overload]
    try:
        wait_for_port(port, server)
        yield port
    finally:
        server.kill() if name.startswith('waitress') else server.terminate()
        try:
            server.wait(5)
        except subprocess.TimeoutExpired:
            server.kill()


def wait_for_port(port: int, server: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        if server.poll() is not None:
            raise RuntimeError('the server has ended')
        try:
            with socket.create_connection(('127.0.0.1', port), 5) as client:
                client.sendall(b'GET / HTTP/1.0\r\n\r\n')
                if b'ready' in b''.join(iter(lambda: client.recv(4096), b'')):
                    return
        except OSError:
            pass
        time.sleep(0.1)
    raise RuntimeError('the server does not listen')


def main() -> None:
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    for name in sys.argv[2:] or SERVERS:
        try:
            measure(name, times)
        except (OSError, RuntimeError, TimeoutError) as error:
            print(f'| {name} | - | {error} | |', flush=True)


if __name__ == '__main__':
    main()
