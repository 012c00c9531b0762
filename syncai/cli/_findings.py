"""The doctor's findings without the network, free of keys, passwords and prompts."""

from __future__ import annotations

import asyncio
import importlib.metadata
import multiprocessing
import os
import platform
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from .. import __version__
from .._base.system import gevent_is_active
from .._bridge import loop_thread, open_calls, run_sync
from ..models._catalog.providers import PROVIDERS, Provider
from ..models._http.keys import wrong_in_key

NEEDED = ('pydantic', 'httpx', 'httptools', 'janus', 'tenacity')
EXTRAS = {
    'google-auth': 'vertex',
    'botocore': 'bedrock',
    'brotli': 'brotli',
    'genai-prices': 'prices',
    'opentelemetry-api': 'otel',
}
_PROXIES = ('https_proxy', 'http_proxy', 'all_proxy', 'no_proxy')

State = Literal['ok', 'note', 'warning', 'error']


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line of the report.

    Args:
        state: Whether it is in order.
        text: The finding.
        advice: The remedy, or None.
    """

    state: State = 'ok'
    text: str
    advice: str | None = None


def versions() -> Iterator[Finding]:
    """The versions of Python, this package, its dependencies and its extras."""
    yield Finding(text=f'syncai {__version__}, {platform.python_implementation()} {platform.python_version()}')
    yield Finding(text=f'{platform.system()} {platform.release()} {platform.machine()}, {os.cpu_count()} processors')
    for name in NEEDED:
        version = _version_of(name)
        advice = None if version else f'pip install {name}, or install syncai-client again'
        yield Finding(state='ok' if version else 'error', text=f'{name} {version or "is missing"}', advice=advice)
    absent = []
    for name, extra in EXTRAS.items():
        if version := _version_of(name):
            yield Finding(text=f'{name} {version}')
        else:
            absent.append(extra)
    if absent:
        yield Finding(state='note', text=f'extras not installed: {", ".join(absent)}')


def keys() -> Iterator[Finding]:
    """For which providers the environment holds a key, and which variables hold it."""
    has_key = False
    for row in PROVIDERS.values():
        for variable in set_key_variables(row)[:1]:
            has_key = True
            wrong = wrong_in_key(os.environ[variable].strip())
            advice = f'Copy the key again: that in {variable} {wrong}' if wrong else None
            yield Finding(state='error' if wrong else 'ok', text=f'{row.name}: {variable} is set', advice=advice)
        for variable in row.base_url_variables:
            if os.environ.get(variable, '').strip():
                yield Finding(state='note', text=f'{row.name}: {variable} sends requests to {_host_of(variable)}')
    if not has_key:
        advice = 'Set a key, such as OPENAI_API_KEY, or pass api_key=... to models'
        yield Finding(state='warning', text='no key of any provider is set', advice=advice)
    for name in (*_PROXIES, *map(str.upper, _PROXIES)):
        if os.environ.get(name):
            value = os.environ[name] if name.lower() == 'no_proxy' else _host_of(name)
            yield Finding(state='note', text=f'{name} is set: {value}')


def process() -> Iterator[Finding]:
    """The loop thread, and what is particular about this process."""
    yield _loop_answers()
    if gevent_is_active():
        yield Finding(state='note', text='gevent has patched the standard library: the loop runs on a real thread')
    try:
        asyncio.get_running_loop()
        yield Finding(state='note', text='an event loop runs in this thread: synchronous calls block it')
    except RuntimeError:
        yield Finding(text='no event loop runs in this thread')
    if hasattr(os, 'register_at_fork'):
        method = multiprocessing.get_start_method(allow_none=True) or multiprocessing.get_all_start_methods()[0]
        yield Finding(text=f'forks are taken care of; multiprocessing starts processes by {method}')
    calls = open_calls()
    for call in calls:
        yield Finding(state='note', text=f'open: {call.name} for {call.seconds:.1f} s, waits for {call.waits_for}')
    if not calls:
        yield Finding(text='no open calls here; in a program that hangs, call syncai.debug()')


def _loop_answers() -> Finding:
    async def nothing() -> None:
        pass

    start = time.perf_counter()
    try:
        run_sync(nothing)
    except Exception as error:
        return Finding(state='error', text=f'the loop thread does not answer: {error}', advice='Read syncai.debug()')
    seconds = time.perf_counter() - start
    same = loop_thread._pid == os.getpid()
    text = f'the loop thread was started and answered in {seconds * 1000:.1f} ms'
    return Finding(text=text) if same else Finding(state='error', text='the loop thread belongs to another process')


def set_key_variables(row: Provider) -> list[str]:
    """The variables that hold a key for a provider, in the order in which they are looked at."""
    return [name for name in row.key_variables if os.environ.get(name, '').strip()]


def _host_of(variable: str) -> str:
    """Host and port of an address, which may hold a password."""
    value = os.environ[variable].strip()
    return urlsplit(value if '://' in value else f'//{value}').netloc.rpartition('@')[2] or 'no address'


def _version_of(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
