"""The behaviour of a scripted provider for a batch: its answers to polls, and the outcomes of rows."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, get_args

from ..exceptions import UserError

__all__ = ['BatchEnding', 'BatchPlan']

BatchEnding = Literal['completed', 'failed', 'expired', 'cancelled']
"""How a scripted batch ends."""
_Creation = Literal['answered', 'lost', 'refused']


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchPlan:
    """One batch of the scripted provider, and its faults; without arguments all rows are answered at the second look.

    Each row is answered by the script of the server as a request of its own is; a `Reply` with a status from 400 on
    makes it a row that failed.

    Attributes:
        polls: The number of polls that find the batch in progress.
        ending: How it ends. `failed`: nothing was begun. `expired`, `cancelled`: rows after the last reached one have
            no answer.
        reached: With `expired` and `cancelled` the number of rows that are answered, from the first on.
        problem: The provider's error for a failed batch.
        reverse: Give the results in the reverse of the order of the rows; providers keep none.
        missing: Numbers of rows, from 0, that are in no result.
        repeated: Numbers of rows whose result is there twice.
        unknown: How many further results have an unknown `custom_id`.
        results: `kept`, or `gone`: they are asked for too late, and the answer is 404; `broken`: their first half
            comes, and the connection breaks, once.
        creation: `answered`, or `lost`: the batch is made, and the connection breaks before the answer;
            `refused`: status 500, and nothing is made.
        retry_after: Seconds to wait before the next poll, or None.

    Raises:
        UserError: An argument is wrong.
    """

    polls: int = 1
    ending: BatchEnding = 'completed'
    reached: int = 0
    problem: str = 'Enqueued token limit reached.'
    reverse: bool = True
    missing: Collection[int] = ()
    repeated: Collection[int] = ()
    unknown: int = 0
    results: Literal['kept', 'gone', 'broken'] = 'kept'
    creation: _Creation = 'answered'
    retry_after: float | None = 0.01

    def __post_init__(self) -> None:
        if self.ending not in get_args(BatchEnding):
            raise UserError(f'ending={self.ending!r} is none of {", ".join(get_args(BatchEnding))}')
        if self.creation not in get_args(_Creation):
            raise UserError(f'creation={self.creation!r} is none of {", ".join(get_args(_Creation))}')
        if self.results not in ('kept', 'gone', 'broken'):
            raise UserError(f'results={self.results!r} is none of kept, gone, broken')
