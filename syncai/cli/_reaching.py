"""The reachability of providers: a request without a key, on the same path as all requests."""

from __future__ import annotations

import asyncio
import os
import time

from .._bridge import run_sync
from .._transport import HttpRequest, close_clients, shared_client
from ..exceptions import ModelConnectionError, ModelTimeoutError, SyncAIError, UserError
from ..models._catalog.address import is_loopback, resolve_base_url
from ..models._catalog.providers import PROVIDERS, Provider
from ..settings import HttpOptions
from ._findings import Finding, set_key_variables


def reachable(*, every: bool, seconds: float) -> list[Finding]:
    """One finding for each provider that has a key, or for each of all.

    Args:
        every: Whether to ask all providers.
        seconds: How long to wait for each.
    """
    rows = [row for row in PROVIDERS.values() if every or set_key_variables(row)]

    async def ask() -> list[Finding]:
        options = HttpOptions(connect_timeout=seconds, first_event_timeout=seconds, max_retries=0)
        try:
            return list(await asyncio.gather(*(_asked(row, options) for row in rows)))
        finally:
            await close_clients()

    return run_sync(ask, name='look at the providers') if rows else []


async def _asked(row: Provider, options: HttpOptions) -> Finding:
    try:
        url = resolve_base_url(row, None)
    except UserError as error:
        if any(os.environ.get(name, '').strip() for name in row.base_url_variables):
            return Finding(state='error', text=f'{row.name}: {error}', advice='Correct the address in the environment')
        return Finding(state='note', text=f'{row.name}: {error}')
    request = HttpRequest('GET', url, {}, b'')
    start = time.perf_counter()
    try:
        await shared_client(options).send(request)
    except (ModelConnectionError, ModelTimeoutError, UserError) as error:
        local = is_loopback(url) and not set_key_variables(row)
        return Finding(state='note' if local else 'error', text=f'{row.name}: {error}', advice=_advice(local))
    except SyncAIError:  # any answer counts, even an error or a page
        pass
    milliseconds = (time.perf_counter() - start) * 1000
    return Finding(text=f'{row.name}: {request.host} answered in {milliseconds:.0f} ms')


def _advice(local: bool) -> str | None:
    return None if local else 'Check the network, the proxy and the firewall; --offline skips this'
