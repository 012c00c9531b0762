"""The Redis server of a store: its client, its scripts, and its errors. Needs the extra `redis`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from ..exceptions import StoreError, UserError

if TYPE_CHECKING:
    import redis

__all__ = ['RedisServer']

_SECONDS = 5.0  # to connect, and for an answer, unless the address sets another


class RedisServer:
    """A server for concurrent use by threads, processes and forks; connects on first use.

    Args:
        source: `redis://`, `rediss://` or `unix://`, or a client of the package `redis`, which stays the caller's.
        name: What is kept there, for errors, such as `conversations`.

    Raises:
        UserError: The package is missing, or the source is neither.
    """

    def __init__(self, source: str | redis.Redis, name: str) -> None:
        self.name = name
        self._source = source
        self._own = isinstance(source, str)
        self._client: Any = client_of(source, name)
        # Scripts by their text; at worst, two threads register the same one.
        self._scripts: dict[str, Any] = {}

    @contextlib.contextmanager
    def commands(self) -> Iterator[Any]:
        """The client, with errors that say what to do; its answers are bytes, or str if the caller's client decodes.

        Raises:
            StoreError: The server is lost, full, or refuses the command.
            UserError: The server refuses the password.
        """
        import redis.exceptions

        try:
            yield self._client
        except redis.exceptions.AuthenticationError as error:
            raise UserError(f'{self} refuses the name or password for the {self.name}: {error}') from error
        except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError) as error:
            raise StoreError(
                f'{self} could not be reached for the {self.name}: {error}. Is it running, and the address right?'
            ) from error
        except redis.exceptions.RedisError as error:
            raise StoreError(f'{self} refused a command for the {self.name}: {error}') from error

    def run(self, script: str, keys: Sequence[str], args: Sequence[str | bytes | int | float] = ()) -> Any:
        """The return of a Lua script, which the server runs atomically.

        Raises:
            StoreError: As `commands`.
            UserError: As `commands`.
        """
        with self.commands() as client:
            registered = self._scripts.get(script)
            if registered is None:
                registered = self._scripts[script] = client.register_script(script)
            return registered(keys=list(keys), args=list(args))

    def close(self) -> None:
        """Close the connections, unless the client is the caller's; the next use opens new ones."""
        if self._own:
            self._client.close()

    def __str__(self) -> str:
        arguments = self._client.connection_pool.connection_kwargs
        if 'path' in arguments:
            return f'Redis at {arguments["path"]}'
        return f'Redis at {arguments.get("host", "localhost")}:{arguments.get("port", 6379)}'

    def __repr__(self) -> str:
        return f'<{self}>'  # without the password of the address

    def __getstate__(self) -> tuple[str, str]:
        if not isinstance(self._source, str):
            raise UserError(f'{self} has a client of the caller, which cannot be pickled: name the address instead')
        return self._source, self.name

    def __setstate__(self, state: tuple[str, str]) -> None:
        RedisServer.__init__(self, *state)


def client_of(source: Any, name: str) -> Any:
    """The client of an address, or the one that the caller has.

    Raises:
        UserError: The package is missing, or the source is neither.
    """
    try:
        import redis
    except ImportError:
        raise UserError(f"Redis keeps {name} with the extra 'redis': pip install 'syncai-client[redis]'") from None
    if isinstance(source, redis.Redis):
        return source
    if not isinstance(source, str):
        raise UserError(
            f"Redis needs an address, such as 'redis://localhost:6379/0', or a redis.Redis, not {type(source).__name__}"
        )
    query = parse_qs(urlsplit(source).query)
    limits = {key: _SECONDS for key in ('socket_timeout', 'socket_connect_timeout') if key not in query}
    try:
        return redis.Redis.from_url(source, **limits)
    except ValueError as error:
        raise UserError(f'The address of Redis is wrong: {error}') from None
