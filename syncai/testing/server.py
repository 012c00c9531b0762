"""`ModelServer`, a real HTTP/1.1 server that plays a model provider."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from .._base.other_names import OF_SERVERS, OtherNames
from ..exceptions import UserError
from ._service import Answering, Counts, ServiceOptions, ThreadHost
from .batch_plan import BatchPlan
from .recorded import RecordedRequest
from .script import Reply

if TYPE_CHECKING:
    import ssl

    from ._process import ProcessHost

__all__ = ['ModelServer']

_POLL = 0.002
_Found = TypeVar('_Found')


class ModelServer(OtherNames):
    """A server on loopback that plays a provider from a script, records the requests and injects faults.

    ```python
    with ModelServer() as server:
        server.reply(Reply('Hello ', 'world', usage=(3, 2)))
        ...  # a client with base_url=server.base_url
        request = server.requests[0]
    ```

    A request is answered with the next reply, in its own format (OpenAI's Chat Completions and Responses, Anthropic
    Messages, Gemini, Bedrock), streamed if it says so; when the script is exhausted, with 500 and a text that says so.
    `GET {base_url}/models` lists one model. The batch APIs of OpenAI (also as Azure and Groq have it), Anthropic,
    Gemini and Mistral are there too: each row of a batch is answered by the script, when `batches` says so. Connections
    are kept alive. What was recorded can be read after the end.

    Args:
        script: The replies, in order; or one `Reply`, given to every request; or a function of the request (plain or
            async) that returns the reply. The function runs on the server's event loop: a plain one must not block.
        process: Run the server in a process of its own, so that it shares no interpreter lock with the client. A
            function must then be picklable, and records are snapshots.
        tls: Serve HTTPS with this context.
        batches: How batches are treated: a `BatchPlan` for all, or several, in the order in which they are made.
        send_buffer_bytes: Size of the kernel's send buffer (SO_SNDBUF). A client that does not read stalls the server
            once this buffer and the client's receive buffer are full: a small buffer shows that early.

    Raises:
        UserError: The script is none of these, or cannot be sent to another process.
    """

    _other_names = OF_SERVERS

    def __init__(
        self,
        script: Reply | Iterable[Reply] | Answering | None = None,
        *,
        process: bool = False,
        tls: ssl.SSLContext | None = None,
        batches: BatchPlan | Iterable[BatchPlan] = BatchPlan(),  # noqa: B008 - frozen
        send_buffer_bytes: int | None = None,
    ) -> None:
        function, replies = _script(script)
        options = ServiceOptions(function, replies, tls, send_buffer_bytes, _plans(batches))
        self._host = _host(options, process=process)
        self._answers_from_function = function is not None
        self._scheme = 'http' if tls is None else 'https'
        self._port: int | None = None
        self._stopped = False
        self._returned: set[int] = set()  # numbers of the requests that wait_for_disconnect has returned

    @classmethod
    def from_vcr(cls, path: str | os.PathLike[str], **options: Any) -> Self:
        """A server that answers from a cassette of vcrpy, recorded by any client; each answer is given once.

        ```python
        with ModelServer.from_vcr('cassettes/refund.yaml') as server:
            ...  # a client with base_url=server.base_url
        ```

        A request gets the answer to a recorded request with the same JSON, else the next answer in the same format,
        streamed or whole like the request. Requests to other addresses are left out. Only the headers of errors are
        sent.

        Args:
            path: The cassette, YAML or JSON.
            **options: Those of `ModelServer` but for its script.

        Raises:
            UserError: It cannot be read, or is no cassette with a request to a model.
        """
        from ._cassettes import read_cassette

        return cls(read_cassette(path), **options)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Starts the server; it accepts connections when this returns.

        Raises:
            UserError: It has been started before.
        """
        if self._port is not None:
            raise UserError('a ModelServer is started once; make another one')
        self._port = self._host.start()

    def stop(self) -> None:
        """Closes every connection and waits for the server's thread or process. Stopping twice does no harm."""
        if self._port is not None and not self._stopped:
            self._stopped = True
            self._host.stop()

    @property
    def port(self) -> int:
        """The port, chosen by the operating system.

        Raises:
            UserError: The server has not been started.
        """
        if self._port is None:
            raise UserError('the ModelServer has not been started: use it in a with statement')
        return self._port

    @property
    def base_url(self) -> str:
        """What a client takes as its base URL, such as `http://127.0.0.1:40123/v1`."""
        return f'{self._scheme}://127.0.0.1:{self.port}/v1'

    def reply(self, *replies: Reply) -> None:
        """Append replies to the script; from any thread.

        Raises:
            UserError: Something is not a `Reply`, or the server answers from a function.
        """
        _check_replies(replies)
        if self._answers_from_function:
            raise UserError('this ModelServer answers from a function (or one Reply for all): it has no script')
        self._host.reply(replies)

    @property
    def requests(self) -> list[RecordedRequest]:
        """The requests received so far, in the order of their arrival."""
        return self._host.requests()

    @property
    def connections(self) -> int:
        """How many connections are open now."""
        return self._counts().open

    @property
    def connections_accepted(self) -> int:
        """How many connections were ever accepted."""
        return self._counts().accepted

    @property
    def replies_left(self) -> int:
        """How many replies of the script are still unused."""
        return self._counts().replies_left

    def wait_for_disconnect(self, timeout: float = 2.0) -> RecordedRequest:
        """The next request whose client left before the answer was finished; each is returned once.

        Args:
            timeout: Seconds to wait at most.

        Raises:
            TimeoutError: No further client left in this time.
        """
        request = self._wait_for(self._disconnected, timeout, 'no client disconnected')
        self._returned.add(request.number)
        return request

    def wait_for_requests(self, count: int = 1, timeout: float = 2.0) -> list[RecordedRequest]:
        """The requests, as soon as there are `count`.

        Args:
            count: How many requests to wait for.
            timeout: Seconds to wait at most.

        Raises:
            TimeoutError: Fewer requests came in this time.
        """

        def enough() -> list[RecordedRequest] | None:
            requests = self.requests
            return requests if len(requests) >= count else None

        return self._wait_for(enough, timeout, f'fewer than {count} requests came')

    def wait_for_connections(self, count: int, timeout: float = 2.0) -> None:
        """Returns as soon as exactly `count` connections are open.

        Args:
            count: How many connections; 0 to wait until every client has gone.
            timeout: Seconds to wait at most.

        Raises:
            TimeoutError: It never happened in this time.
        """
        self._wait_for(lambda: self.connections == count or None, timeout, f'never {count} connections were open')

    def _disconnected(self) -> RecordedRequest | None:
        requests = [r for r in self.requests if r.disconnected_at is not None and r.number not in self._returned]
        return min(requests, key=lambda r: r.disconnected_at or 0.0, default=None)

    def _wait_for(self, find: Callable[[], _Found | None], timeout: float, failure: str) -> _Found:
        # Polls, because the server may be another process; the times that matter are in the records.
        deadline = time.monotonic() + timeout
        while (match := find()) is None:
            if time.monotonic() >= deadline:
                raise TimeoutError(f'{failure} within {timeout} s')
            time.sleep(_POLL)
        return match

    def _counts(self) -> Counts:
        return self._host.counts()


def _host(options: ServiceOptions, *, process: bool) -> ThreadHost | ProcessHost:
    if not process:
        return ThreadHost(options)
    from ._process import ProcessHost

    return ProcessHost(options)


class _Always:
    """The function behind a single `Reply`; a class, so that it can be pickled."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply

    def __call__(self, request: RecordedRequest) -> Reply:  # noqa: ARG002
        return self._reply


def _script(script: Reply | Iterable[Reply] | Answering | None) -> tuple[Answering | None, tuple[Reply, ...]]:
    if isinstance(script, Reply):
        return _Always(script), ()
    if callable(script):
        return script, ()
    if isinstance(script, str):
        _check_replies((script,))  # as a whole, and not by its characters
    try:
        replies = tuple(script or ())
    except TypeError:
        raise UserError(f'a script is replies or a function of the request, not {script!r}') from None
    _check_replies(replies)
    return None, replies


def _plans(batches: BatchPlan | Iterable[BatchPlan]) -> tuple[BatchPlan, ...]:
    plans = (batches,) if isinstance(batches, BatchPlan) else tuple(batches)
    if not plans or not all(isinstance(plan, BatchPlan) for plan in plans):
        raise UserError(f'batches must be a BatchPlan or several, not {batches!r:.100}')
    return plans


def _check_replies(replies: Iterable[object]) -> None:
    for reply in replies:
        if not isinstance(reply, Reply):
            remedy = f': write Reply({reply!r:.50})' if isinstance(reply, str) else ''
            raise UserError(f'a script consists of Reply objects, not {reply!r}{remedy}')
