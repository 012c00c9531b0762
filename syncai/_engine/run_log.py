"""Records of the beginning and the end of a run in the debug log."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from time import monotonic
from typing import TYPE_CHECKING, Any

from .._base.logs import RUN, debug, is_on

if TYPE_CHECKING:
    from .run_state import RunState

_OFF = nullcontext()


def logged(run: RunState[Any]) -> AbstractContextManager[None]:
    """A block around the whole run; nearly free while DEBUG is off."""
    return _logged(run) if is_on(RUN) else _OFF


@contextmanager
def _logged(run: RunState[Any]) -> Iterator[None]:
    start, name = monotonic(), run.plan.agent_name or 'without a name'
    debug(RUN, 'run of agent %s started: model %s, %d messages before', name, run.plan.model.model_name, run.first_new)
    how = 'ended'
    try:
        yield
    except BaseException as error:
        how = f'ended by {type(error).__name__}'
        raise
    finally:
        tokens = run.usage.total_tokens or 0
        counts = run.run_step, run.tool_calls, tokens
        seconds = monotonic() - start
        debug(RUN, 'run %s after %.3f s: %d requests, %d tool calls, %d tokens', how, seconds, *counts)
