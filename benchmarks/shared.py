"""One model shared by the threads of a pool: the number of failures among 200 short calls. `python
benchmarks/shared.py`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from client import MODEL, PROMPT, syncai
from run import child, local_server

CALLS = 200
POOLS = (1, 2, 4, 8)
SECONDS = 60


def pydantic_ai(url: str) -> Callable[[], object]:
    """The call that all threads make, with one shared agent."""
    from pydantic_ai import Agent
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    agent = Agent(OpenAIChatModel(MODEL, provider=OpenAIProvider(base_url=url, api_key='key')))
    return lambda: agent.run_sync(PROMPT)


def failures(call: Callable[[], object], threads: int) -> int:
    """The number of calls that raised."""
    with ThreadPoolExecutor(threads) as pool:
        futures = [pool.submit(call) for _ in range(CALLS)]
        return sum(future.exception(timeout=SECONDS) is not None for future in futures)


def main() -> None:
    """Print a line for each library and pool, each from a fresh process."""
    with local_server() as url:
        for library in ('syncai', 'pydantic-ai'):
            for threads in POOLS:
                try:
                    figure = child([__file__, library, f'{url}/short/v1', str(threads)])[0].strip()
                except Exception as error:
                    figure = f'hangs or breaks ({type(error).__name__})'
                print(f'{library}, {threads} threads: {figure} of {CALLS} calls failed', flush=True)


if __name__ == '__main__':
    if len(sys.argv) == 1:
        main()
    else:
        _, name, address, count = sys.argv
        print(failures(syncai(address)[1] if name == 'syncai' else pydantic_ai(address), int(count)))
