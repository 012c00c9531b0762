"""Conversations in Redis."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from .._stores.redis import RedisServer
from ..messages import ModelMessage
from ._records import messages_of, record_of
from ._store import checked_id, checked_limit, conflict

if TYPE_CHECKING:
    import redis

__all__ = ['RedisStore']

# Keys: the log, its files, the index. Arguments: version, id, time, number of files, files and names, texts.
_APPEND = """
if redis.call('LLEN', KEYS[1]) ~= tonumber(ARGV[1]) then return -1 end
local files = tonumber(ARGV[4])
for n = 5, 4 + 2 * files, 2 do redis.call('HSET', KEYS[2], ARGV[n], ARGV[n + 1]) end
for n = 5 + 2 * files, #ARGV do redis.call('RPUSH', KEYS[1], ARGV[n]) end
if #ARGV > 4 + 2 * files then redis.call('ZADD', KEYS[3], ARGV[3], ARGV[2]) end
return redis.call('LLEN', KEYS[1])
"""


class RedisStore:
    """Keeps conversations in Redis, for any number of processes and machines. Needs the extra `redis`.

    Whether writes survive the server depends on its settings (`appendonly yes`).

    Args:
        source: The address, such as `'redis://localhost:6379/0'`, or a client of the package `redis`.
        prefix: What the keys begin with.

    Raises:
        UserError: The package is missing, or the address is invalid.
    """

    def __init__(self, source: str | redis.Redis, *, prefix: str = 'syncai:conversations:') -> None:
        self._server = RedisServer(source, 'conversations')
        self._prefix = prefix

    def load(self, id: str) -> tuple[list[ModelMessage], int]:  # noqa: A002
        """The messages of a conversation and its version; none and 0 if there is none.

        Raises:
            UserError: A message is of a newer version of syncai.
            StoreError: The server is lost or refuses.
        """
        log, files, _ = self._keys(checked_id(id))
        with self._server.commands() as client:
            texts = [_text(text) for text in client.lrange(log, 0, -1)]
            return messages_of(texts, partial(_blobs_of, client, files), f'conversation {id!r} in Redis'), len(texts)

    def append(self, id: str, version: int, messages: Sequence[ModelMessage]) -> int:  # noqa: A002
        """Add messages, all or none of them, and give the new version.

        Raises:
            ConversationConflict: The conversation has another version.
            StoreError: The server is lost, full or refuses; if its answer was lost, it may have stored them.
        """
        keys = self._keys(checked_id(id))
        records = [record_of(message) for message in messages]
        blobs = {name: data for record in records for name, data in record.blobs.items()}
        files = [item for name, data in blobs.items() for item in (name, base64.b64encode(data))]
        texts = [record.text for record in records]
        new = int(self._server.run(_APPEND, keys, [version, id, time.time(), len(blobs), *files, *texts]))
        if new < 0:
            raise conflict(id, version)
        return new

    def list(self, *, prefix: str = '', limit: int | None = None) -> list[str]:
        """The ids that begin with `prefix`, those that changed last first."""
        most = checked_limit(limit)
        with self._server.commands() as client:
            ids = [_text(id) for id in client.zrevrange(self._index, 0, -1)]  # noqa: A001
        return [id for id in ids if id.startswith(prefix)][:most]  # noqa: A001

    def delete(self, id: str) -> None:  # noqa: A002
        """Remove a conversation and its files; one that is not there is no error."""
        log, files, index = self._keys(checked_id(id))
        with self._server.commands() as client, client.pipeline() as pipeline:
            pipeline.delete(log, files)
            pipeline.zrem(index, id)
            pipeline.execute()

    def close(self) -> None:
        """Close the connections, unless the client is the caller's; the next use opens new ones."""
        self._server.close()

    @property
    def _index(self) -> str:
        return f'{self._prefix}index'

    def _keys(self, id: str) -> tuple[str, str, str]:  # noqa: A002
        return f'{self._prefix}log:{id}', f'{self._prefix}files:{id}', self._index

    def __repr__(self) -> str:
        return f'RedisStore({self._server!r})'


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _blobs_of(client: Any, files: str, names: Sequence[str]) -> Mapping[str, bytes]:
    values = client.hmget(files, names)
    pairs = zip(names, values, strict=True)
    return {name: base64.b64decode(value) for name, value in pairs if value is not None}
