"""An executor whose workers are those of a Ray cluster (extra `ray`).

    ray.init(address='auto')
    with RayExecutor(num_cpus=0.25) as executor:
        for row in agent.map_sync(rows, executor=executor, journal='run.sqlite', max_concurrency=200):
            ...

The journal stays with the caller. Workers need syncai and the modules of the agent; `runtime_env` of `ray.init` brings
them along.
"""

from __future__ import annotations

import importlib
import pickle
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError, Executor, Future, InvalidStateError, wait
from functools import partial
from typing import Any, ParamSpec, TypeVar

from ..exceptions import AgentRunError, UserError

__all__ = ['RayExecutor']

ArgsT = ParamSpec('ArgsT')
ResultT = TypeVar('ResultT')


class _RemoteTraceback(Exception):
    """The traceback in the worker: the `__cause__` of its error, as with a process pool."""

    def __str__(self) -> str:
        return f'\n{self.args[0]}' if self.args else ''


class RayExecutor(Executor):
    """Calls made by the workers of the Ray cluster that this process is connected to, or of a local one.

    Cancelling a future withdraws a call that no worker has begun; a running call is interrupted, and its model request
    is stopped.

    Args:
        options: Options of `ray.remote` for each call: `num_cpus` (1 if none is named: a call that waits
            for a model needs far less), `resources`, `max_retries` (how many times a call is made again when its
            worker dies), ...

    Raises:
        UserError: The package is missing, or Ray knows no such option.
    """

    def __init__(self, **options: Any) -> None:
        self._ray = _ray()
        try:
            self._task: Any = self._ray.remote(_outcome).options(**options)
        except (TypeError, ValueError) as error:
            raise UserError(f'Ray does not take these options of its tasks: {error}') from None
        self._lock = threading.Lock()  # owns the two fields below
        self._open: set[Future[Any]] = set()
        self._is_shut = False

    def submit(self, fn: Callable[ArgsT, ResultT], /, *args: ArgsT.args, **kwargs: ArgsT.kwargs) -> Future[ResultT]:
        """The future of a call; function, arguments and result travel by pickle.

        Raises:
            UserError: The executor was shut down.
        """
        with self._lock:
            if self._is_shut:
                raise UserError('The executor was shut down: use it within its `with` block')
            reference = self._task.remote(fn, args, kwargs)
            future: _RayFuture[ResultT] = _RayFuture(partial(self._ray.cancel, reference))
            self._open.add(future)
        future.add_done_callback(self._forget)
        reference.future().add_done_callback(partial(self._end, future, reference))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls; the connection to Ray stays.

        Args:
            wait: Whether to wait for the calls that are still running.
            cancel_futures: Whether to cancel them first.
        """
        with self._lock:
            self._is_shut = True
            still_open = list(self._open)
        if cancel_futures:
            for future in still_open:
                future.cancel()
        if wait:
            _wait(still_open)

    def _forget(self, future: Future[Any]) -> None:
        with self._lock:
            self._open.discard(future)

    def _end(self, future: Future[Any], reference: object, inner: Future[Any]) -> None:
        """In a thread of Ray: the call is over. The reference is held until here, since Ray drops a result without a
        reference.
        """
        del reference
        failure = inner.exception()
        try:
            if isinstance(failure, self._ray.exceptions.TaskCancelledError):
                future.set_exception(CancelledError())  # cancelled elsewhere, such as on the dashboard
            elif failure is not None:
                future.set_exception(failure)
            else:
                result, error, place = inner.result()
                if error is None:
                    future.set_result(result)
                else:
                    error.__cause__ = _RemoteTraceback(place)
                    future.set_exception(error)
        except InvalidStateError:  # it was cancelled
            pass
        finally:
            del failure


class _RayFuture(Future[ResultT]):
    """A future that takes its call back from the cluster when it is cancelled."""

    def __init__(self, take_back: Callable[[], None]) -> None:
        super().__init__()
        self._take_back = take_back

    def cancel(self) -> bool:
        """Cancel the call; returns False if it has its result."""
        if self.cancelled():
            return True
        if not super().cancel():
            return False
        self.set_running_or_notify_cancel()  # for waits on several futures
        self._take_back()
        return True


_wait = wait  # `shutdown` has an argument of that name


def _outcome(
    function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[Any, Exception | None, str]:
    """In the worker: the result of the call, or its error and where that was raised.

    Errors are returned, since Ray changes the class of raised ones.
    """
    try:
        return function(*args, **kwargs), None, ''
    except Exception as error:
        return None, _as_travels(error), ''.join(traceback.format_exception(error))


def _as_travels(error: Exception) -> Exception:
    """The error, or one that names it if pickle cannot hold it."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - by this process, a moment ago
    except Exception:
        return AgentRunError(f'{type(error).__qualname__}: {error}')
    return error


def _ray() -> Any:
    try:
        return importlib.import_module('ray')
    except ModuleNotFoundError:
        raise UserError("RayExecutor needs Ray: pip install 'syncai-client[ray]'") from None
