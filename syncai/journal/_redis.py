"""A journal on a Redis server, for the processes of several machines. Needs the extra `redis`."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any
from uuid import uuid4

from .._stores.redis import RedisServer
from ..exceptions import StoreError, UserError
from ._entries import Entry, Rule
from ._owners import Owner

FORMAT = '1'
"""The version of the stored data, in the note of that name."""

_PAGE = 200
_LOCK_MILLISECONDS = 10_000
_LETTERS = {'claimed': 'c', 'sent': 's', 'done': 'd', 'failed': 'f'}
_STATES = {letter: state for state, letter in _LETTERS.items()}
_DIGEST = 64  # characters

# An entry is a field of the hash of rows: the letter of its state, the digest of its fingerprint, its JSON. A claim is
# the letter c, the digest, and the id of its owner.
_CLAIM = """
local accepted = {}
for digest in string.gmatch(ARGV[2], '%x+') do accepted[digest] = true end
local answers = {}
for number = 4, #ARGV do
    local entry = redis.call('HGET', KEYS[1], ARGV[number])
    local free = not entry
    if entry then
        local state = string.sub(entry, 1, 1)
        if state == 'c' then
            free = redis.call('HEXISTS', KEYS[2], string.sub(entry, 66)) == 0
        else
            free = not accepted[string.sub(entry, 2, 65)] or (state == 'f' and ARGV[3] == '1')
        end
    end
    if free then
        redis.call('HSET', KEYS[1], ARGV[number], 'c' .. string.sub(ARGV[2], 1, 64) .. ARGV[1])
        answers[number - 3] = ''
    else
        answers[number - 3] = entry
    end
end
return answers
"""
_PUT = """
local accepted = {}
for digest in string.gmatch(ARGV[2], '%x+') do accepted[digest] = true end
for number = 3, #ARGV, 2 do
    local entry = redis.call('HGET', KEYS[1], ARGV[number])
    local state = entry and string.sub(entry, 1, 1)
    local done = state == 'd' and accepted[string.sub(entry, 2, 65)]
    local others = state == 'c' and string.sub(entry, 66) ~= ARGV[1]
    if not done and (not others or string.sub(ARGV[number + 1], 1, 1) == 'd') then
        redis.call('HSET', KEYS[1], ARGV[number], ARGV[number + 1])
    end
end
"""
_RELEASE = """
for number = 2, #ARGV do
    local entry = redis.call('HGET', KEYS[1], ARGV[number])
    if entry and string.sub(entry, 1, 1) == 'c' and string.sub(entry, 66) == ARGV[1] then
        redis.call('HDEL', KEYS[1], ARGV[number])
    end
end
"""
_UNLOCK = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end"


class RedisDesk:
    """Owners and notes, under a lock that expires if its holder dies."""

    def __init__(self, client: Any, owners: str, notes: str) -> None:
        self._client = client
        self._owners = owners
        self._notes = notes

    def owners(self) -> list[Owner]:
        """All registered owners."""
        return [Owner(**json.loads(text)) for text in self._client.hvals(self._owners)]

    def now(self) -> float:
        """The server's clock."""
        return now(self._client)

    def add(self, owner: Owner) -> None:
        """Register an owner, seen now."""
        self._client.hset(self._owners, owner.id, json.dumps({**asdict(owner), 'seen': self.now()}))

    def remove(self, ids: Sequence[str]) -> None:
        """Forget owners."""
        if ids:
            self._client.hdel(self._owners, *ids)

    def note(self, name: str) -> str | None:
        """The text stored under a name."""
        text = self._client.hget(self._notes, name)
        return None if text is None else as_text(text)

    def set_note(self, name: str, text: str | None) -> None:
        """Store a text under a name; None deletes it."""
        if text is None:
            self._client.hdel(self._notes, name)
        else:
            self._client.hset(self._notes, name, text)


class RedisStore:
    """The entries of one journal on a server, under keys that begin with `syncai:journal:`.

    Args:
        source: The server's address, or a client.
        journal: The name of the journal there.
    """

    def __init__(self, source: Any, journal: str) -> None:
        self._server = RedisServer(source, 'journal')
        base = f'syncai:journal:{{{journal}}}'  # the braces keep all keys in one slot of a cluster
        self._rows, self._owners, self._notes, self._lock = (
            f'{base}:{part}' for part in ('rows', 'owners', 'notes', 'lock')
        )
        self._claimed: dict[str, set[str]] = {}  # the claims of each owner in this process

    @contextmanager
    def desk(self) -> Iterator[RedisDesk]:
        """The part that one process at a time may change.

        Raises:
            UserError: The journal is one of a newer version of syncai.
        """
        token = uuid4().hex
        with self._server.commands() as client:
            deadline = time.monotonic() + 2 * _LOCK_MILLISECONDS / 1000
            while not client.set(self._lock, token, nx=True, px=_LOCK_MILLISECONDS):
                if time.monotonic() > deadline:
                    raise StoreError(f'The lock {self._lock} on {self._server} was not given back: try again')
                time.sleep(0.01)
            try:
                desk = RedisDesk(client, self._owners, self._notes)
                if (version := desk.note('format')) is None:
                    desk.set_note('format', FORMAT)
                elif version != FORMAT:
                    raise UserError(
                        f'The journal at {self._server} has the format {version} of another version of syncai: this '
                        f'one knows {FORMAT}. Upgrade syncai, or name another journal'
                    )
                yield desk
            finally:
                self._server.run(_UNLOCK, [self._lock], [token])

    def find(self, keys: Sequence[str]) -> Mapping[str, Entry]:
        """The entries of those keys that have one."""
        with self._server.commands() as client:
            values = client.hmget(self._rows, list(keys))
        return {key: entry_of(key, value) for key, value in zip(keys, values, strict=True) if value is not None}

    def claim(self, keys: Sequence[str], owner: Owner, rule: Rule) -> Mapping[str, Entry | None]:
        """For each key: None if it is claimed now, else the entry that prevents it."""
        arguments: list[str | int] = [owner.id, ' '.join(rule.accepted), int(rule.retry_failed), *keys]
        values = self._server.run(_CLAIM, [self._rows, self._owners], arguments)
        claimed = self._claimed.setdefault(owner.id, set())
        claimed.update(key for key, value in zip(keys, values, strict=True) if not value)
        return {key: entry_of(key, value) if value else None for key, value in zip(keys, values, strict=True)}

    def release(self, owner: Owner) -> None:
        """Release the owner's claims, and remove the owner."""
        claimed = list(self._claimed.pop(owner.id, ()))
        if claimed:
            self._server.run(_RELEASE, [self._rows], [owner.id, *claimed])
        with self._server.commands() as client:
            client.hdel(self._owners, owner.id)

    def put(self, entries: Sequence[Entry], owner: Owner, rule: Rule) -> None:
        """Store entries, unless an accepted one is done already."""
        pairs = [part for entry in entries for part in (entry.key, value_of(entry, rule.accepted[0]))]
        self._server.run(_PUT, [self._rows], [owner.id, ' '.join(rule.accepted), *pairs])
        self._claimed.get(owner.id, set()).difference_update(entry.key for entry in entries)

    def beat(self, owner: Owner) -> None:
        """Write the owner's heartbeat."""
        with self._server.commands() as client:
            RedisDesk(client, self._owners, self._notes).add(owner)

    def forget(self, keys: Sequence[str]) -> int:
        """Delete entries."""
        with self._server.commands() as client:
            return int(client.hdel(self._rows, *keys)) if keys else 0

    def counts(self) -> Mapping[str, int]:
        """The number of entries in each state; reads all entries."""
        counted: dict[str, int] = {}
        for entry in self.entries():
            counted[entry.state] = counted.get(entry.state, 0) + 1
        return counted

    def entries(self) -> Iterator[Entry]:
        """All entries, in no order; a changing entry may come twice."""
        cursor = 0
        while True:
            with self._server.commands() as client:
                cursor, page = client.hscan(self._rows, cursor, count=_PAGE)
            for key, value in page.items():
                yield entry_of(as_text(key), value)
            if not int(cursor):
                return

    def close(self) -> None:
        """Close connections that are idle."""
        self._server.close()

    def __str__(self) -> str:
        return str(self._server)


def now(client: Any) -> float:
    """The server's clock, in seconds."""
    seconds, microseconds = client.time()
    return float(seconds) + float(microseconds) / 1e6


def as_text(value: Any) -> str:
    """The server's answer as text: a client may or may not decode it."""
    return value.decode() if isinstance(value, bytes) else str(value)


def value_of(entry: Entry, digest: str) -> str:
    """An entry as a field of the hash."""
    values = {name: value for name, value in asdict(entry).items() if value is not None}
    for name in ('key', 'state', 'fingerprint'):
        del values[name]
    return f'{_LETTERS[entry.state]}{digest:{_DIGEST}}{json.dumps(values)}'


def entry_of(key: str, value: Any) -> Entry:
    """The entry of a field of the hash."""
    text = as_text(value)
    state: Any = _STATES[text[0]]
    fingerprint, rest = text[1 : _DIGEST + 1].rstrip(), text[_DIGEST + 1 :]
    if state == 'claimed':
        return Entry(key=key, state=state, fingerprint=fingerprint, owner=rest)
    return Entry(key=key, state=state, fingerprint=fingerprint, **json.loads(rest))
