"""The time until a stream is in the browser: milliseconds by the clock of the page, in Debian's Chromium.

    python tests/reliability/first_event.py [TIMES]

A page asks `POST` by `fetch`, as `useChat` does, and notes when the head of the response, the first event of the stream
and the first word of the model are there; then the page's own chat is used, from the key that sends to the first word
in the document. The model is a server in a process of its own that answers at once. Prints a row of the table in
docs/reliability.md for each server.
"""

from __future__ import annotations

import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from syncai.testing import ModelServer, Reply

if TYPE_CHECKING:
    from playwright.sync_api import Page

ROOT = Path(__file__).resolve().parents[2]
FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-dev-shm-usage']
FLAGS += ['--disable-background-networking', '--disable-component-update', '--disable-sync']

FETCH = """async ([endpoint, token]) => {
    const message = { id: 'u', role: 'user', parts: [{ type: 'text', text: 'Hi' }] };
    const body = JSON.stringify({ id: 'c', messages: [message] });
    const fields = { 'Content-Type': 'application/json', ...(token && { 'X-CSRFToken': token }) };
    const began = performance.now(), since = () => performance.now() - began;
    const response = await fetch(endpoint, { method: 'POST', headers: fields, body });
    const times = [since()];
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    for (;;) {
        const { done, value } = await reader.read();
        if (done) return times;
        text += value;
        if (times.length === 1 && text.includes('\\n\\n')) times.push(since());
        if (times.length === 2 && text.includes('"text-delta"')) times.push(since());
    }
}"""
SEND = """async ([field, words]) => {
    const place = document.querySelector(field), count = document.querySelectorAll(words).length;
    place.value = 'Hi';
    const began = performance.now();
    place.form.requestSubmit();
    return new Promise((done) => {
        const look = () => {
            const all = document.querySelectorAll(words);
            if (all.length <= count || !all[all.length - 1].textContent) return;
            watch.disconnect();
            done(performance.now() - began);
        };
        const watch = new MutationObserver(look);
        watch.observe(document.body, { childList: true, subtree: true, characterData: true });
    });
}"""


@contextmanager
def served(command: list[str], port: int, directory: Path, base_url: str) -> Iterator[str]:
    """The address of a program that serves a page."""
    variables = {'PYTHONPATH': str(ROOT), 'OPENAI_BASE_URL': base_url, 'OPENAI_API_KEY': 'key', 'OPENAI_MODEL': 'm'}
    environment = {**os.environ, **variables}
    for preparation in [[sys.executable, 'manage.py', 'migrate', '-v0']] if 'mysite.wsgi' in command else []:
        subprocess.run(preparation, cwd=directory, env=environment, check=True)
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, cwd=directory, env=environment, stdout=quiet, stderr=quiet) as program:
        try:
            address = f'http://127.0.0.1:{port}/'
            wait_for(address)
            yield address
        finally:
            program.kill()


def wait_for(address: str) -> None:
    """Wait until the page is served."""
    for _ in range(300):
        try:
            urllib.request.urlopen(address, timeout=5).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f'nothing is served at {address}')


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.create_server(('127.0.0.1', 0)) as free:
        port: int = free.getsockname()[1]
    return port


def measure(page: Page, endpoint: str, field: str, words: str, times: int) -> list[list[float]]:
    """For each time the head, the first event, the first word, and the first word in the document."""
    token = page.evaluate('document.cookie.match(/csrftoken=([^;]+)/)?.[1]')
    rows = []
    for number in range(times + 3):  # three to warm up
        row = [*page.evaluate(FETCH, [endpoint, token]), page.evaluate(SEND, [field, words])]
        page.wait_for_selector('button:has-text("Stop")', state='hidden')
        if number >= 3:
            rows.append(row)
    return rows


def servers(directory: Path) -> dict[str, tuple[Callable[[int], list[str]], str, str, str]]:
    """The command of each, its endpoint, and the elements of its page."""
    agent = directory / 'first_agent.py'
    agent.write_text('from syncai import Agent\n\nagent = Agent("openai:m")\n')
    gunicorn = ['-m', 'gunicorn', '-k', 'gthread', '--threads', '8', 'mysite.wsgi', '-b']
    return {
        '`syncai web`': (
            lambda port: [sys.executable, '-m', 'syncai.cli', 'web', 'first_agent:agent', '--port', str(port)],
            'api/chat',
            '#text',
            '.assistant p',
        ),
        "the guide's Django project, gunicorn gthread": (
            lambda port: [sys.executable, *gunicorn, f'127.0.0.1:{port}'],
            '/chat/',
            '#prompt',
            '.assistant .text',
        ),
    }


def main() -> None:
    from playwright.sync_api import sync_playwright

    times = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    with (
        tempfile.TemporaryDirectory() as place,
        ModelServer(Reply('Hello ', 'world'), process=True) as model,
        sync_playwright() as playwright,
    ):
        directory = Path(place) / 'project'
        shutil.copytree(ROOT / 'docs' / 'examples' / 'django_chat', directory)
        chromium = playwright.chromium.launch(executable_path=shutil.which('chromium'), args=FLAGS)
        for name, (command, endpoint, field, words) in servers(directory).items():
            port = free_port()
            with served(command(port), port, directory, model.base_url) as address:
                page: Any = chromium.new_page()
                page.goto(address)
                rows = measure(page, endpoint, field, words, times)
                page.close()
            cells = [f'{statistics.median(column):.1f} / {max(column):.1f}' for column in zip(*rows, strict=True)]
            print(f'| {name} | {" | ".join(cells)} |', flush=True)
        chromium.close()


if __name__ == '__main__':
    main()
