"""One of several processes that share a journal: `fleet_worker.py JOURNAL ROWS LEASE`; prints each row that it gets."""

from __future__ import annotations

import sys

from fleet_agent import agent, as_key, as_prompt

from syncai.journal import Journal


def main(journal: str, count: int, lease: float) -> None:
    rows = agent.map_sync(
        range(count),
        journal=Journal(journal, lease=lease),
        share=True,
        key=as_key,
        prompt=as_prompt,
        ordered=False,
        max_concurrency=4,
    )
    for row in rows:
        print(row.key, row.stored, row.error or row.data, flush=True)
    print('end', flush=True)


if __name__ == '__main__':
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
