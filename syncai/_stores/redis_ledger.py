"""Accounts on a Redis server, for a fleet. Needs the extra `redis`.

The keys of one account hold the same `{name}`, which keeps them in one slot of a cluster; time is the server's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .ledger import Claim, Hold, Ledger, Refusal, State
from .periods import Period
from .redis import RedisServer

if TYPE_CHECKING:
    import redis

__all__ = ['Redis']

_KEPT_MS = 24 * 3600 * 1000  # how long an account is kept after its last use and the end of its window
_SETTLED_MS = 3600 * 1000  # how long a settled hold is remembered, so that it is not settled twice

# Of all scripts: KEYS are the account's sums, its holds as `amount:id` by their ends, and the ids that were settled.
# https://redis.io/docs/latest/develop/programmability/eval-intro/
_BEGIN = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function drop_ended()
    local over = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now)
    local amount = 0
    for _, member in ipairs(over) do amount = amount + tonumber(string.match(member, '^(%d+):')) end
    if #over > 0 then
        redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
        redis.call('HINCRBY', KEYS[1], 'held', string.format('%.0f', -amount))
    end
end
local function keep(ends)
    if ends == 0 then return end
    local wait = string.format('%.0f', math.max(ends - now, 0) + {kept})
    for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, wait) end
end
local function sum(name) return tonumber(redis.call('HGET', KEYS[1], name) or '0') end
local function number(value) return string.format('%.0f', value) end
""".replace('{kept}', str(_KEPT_MS))
_RESERVE = (
    _BEGIN
    + """
local id, amount, limit, lease = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local starts, ends = tonumber(ARGV[5]), tonumber(ARGV[6])
if ends > 0 and (now < starts or now >= ends) then return {'other window', number(now)} end
local member = ARGV[2] .. ':' .. id
if redis.call('ZSCORE', KEYS[2], member) then return {'held'} end
drop_ended()
local spent, held = sum('spent'), sum('held')
if spent + held + amount > limit then
    local first = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')
    return {'refused', number(spent), number(held), first[2] and number(first[2] - now) or ''}
end
redis.call('HINCRBY', KEYS[1], 'held', ARGV[2])
redis.call('ZADD', KEYS[2], number(now + lease), member)
keep(ends)
return {'held'}
"""
)
_END = (
    _BEGIN
    + """
local member, id, ends, spent = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
if redis.call('ZREM', KEYS[2], member) == 1 then
    redis.call('HINCRBY', KEYS[1], 'held', '-' .. string.match(member, '^(%d+):'))
end
if spent >= 0 and redis.call('ZADD', KEYS[3], 'NX', number(now), id) == 1 then
    redis.call('HINCRBY', KEYS[1], 'spent', ARGV[4])
    redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', number(now - {settled}))
end
keep(ends)
""".replace('{settled}', str(_SETTLED_MS))
)
_RESIZE = """
local ends = redis.call('ZSCORE', KEYS[2], ARGV[1])
if ends and ARGV[1] ~= ARGV[2] then
    local before, after = string.match(ARGV[1], '^(%d+):'), string.match(ARGV[2], '^(%d+):')
    redis.call('ZREM', KEYS[2], ARGV[1])
    redis.call('ZADD', KEYS[2], ends, ARGV[2])
    redis.call('HINCRBY', KEYS[1], 'held', string.format('%.0f', after - before))
end
"""
_RENEW = (
    _BEGIN
    + """
drop_ended()
for index = 2, #ARGV do redis.call('ZADD', KEYS[2], 'XX', number(now + tonumber(ARGV[1])), ARGV[index]) end
"""
)
_STATE = (
    _BEGIN
    + """
local ends = tonumber(ARGV[2])
if ends > 0 and (now < tonumber(ARGV[1]) or now >= ends) then return {'other window', number(now)} end
drop_ended()
return {'', number(sum('spent')), number(sum('held')), ''}
"""
)


class Redis(Ledger):
    """Budgets and limits on a Redis server: one for a fleet, by the server's clock. Needs the extra `redis`.

    Args:
        source: `redis://`, `rediss://` or `unix://`, or a `redis.Redis` of the program.
        prefix: What the names of the keys begin with.

    Raises:
        UserError: The package is missing, or the source is neither.
    """

    def __init__(self, source: str | redis.Redis, *, prefix: str = 'syncai:') -> None:
        self._server = RedisServer(source, 'budgets')
        self._prefix = prefix
        # The server's clock minus this clock, to guess the window; the server decides. Written by any thread.
        self._ahead = 0.0

    def reserve(self, claim: Claim) -> Hold | Refusal:
        """Hold an amount; the check whether it fits and the hold are one step."""
        limits = claim.id, claim.amount, claim.limit, int(claim.lease * 1000)
        (starts, ends), answer = self._in_window(_RESERVE, claim.name, claim.period, limits)
        if answer[0] == 'held':
            return Hold(claim.name, starts, ends, claim.id, claim.amount)
        return Refusal(*_state(answer, ends))

    def settle(self, hold: Hold, amount: int) -> None:
        """End a hold, and count `amount` as spent in its window."""
        self._end(hold, amount)

    def cancel(self, hold: Hold) -> None:
        """End a hold without spending."""
        self._end(hold, -1)

    def resize(self, hold: Hold, amount: int) -> None:
        """Change the amount of a hold; its end stays."""
        self._server.run(_RESIZE, self._keys(*hold.account), (_member(hold), f'{amount}:{hold.id}'))

    def renew(self, holds: Sequence[Hold], lease: float) -> None:
        """Extend active holds to `lease` seconds from now."""
        for account in {hold.account for hold in holds}:
            members = [_member(hold) for hold in holds if hold.account == account]
            self._server.run(_RENEW, self._keys(*account), (int(lease * 1000), *members))

    def state(self, name: str, period: Period) -> State:
        """The spent and held amounts of an account now."""
        (_, ends), answer = self._in_window(_STATE, name, period, ())
        return State(*_state(answer, ends))

    def close(self) -> None:
        """Close what is open; the next use opens it again."""
        self._server.close()

    def _in_window(
        self, script: str, name: str, period: Period, args: Sequence[Any]
    ) -> tuple[tuple[int, int | None], list[str]]:
        """The answer of a script for the window of the server's time, and that window."""
        import time

        now = time.time() + self._ahead
        while True:
            starts, ends = period.window(now)
            span = starts * 1000, (ends or 0) * 1000
            answer = [_text(one) for one in self._server.run(script, self._keys(name, starts), (*args, *span))]
            if answer[0] != 'other window':
                return (starts, ends), answer
            now = int(answer[1]) / 1000
            self._ahead = now - time.time()

    def _end(self, hold: Hold, spent: int) -> None:
        keys, ends = self._keys(*hold.account), (hold.ends or 0) * 1000
        self._server.run(_END, keys, (_member(hold), hold.id, ends, spent))

    def _keys(self, name: str, starts: int) -> list[str]:
        account = f'{self._prefix}{{{name}}}:{starts}'
        return [account, f'{account}:held', f'{account}:settled']

    def __repr__(self) -> str:
        return str(self._server)


def _member(hold: Hold) -> str:
    return f'{hold.amount}:{hold.id}'


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _state(answer: Sequence[str], ends: int | None) -> tuple[int, int, int | None, float | None]:
    return int(answer[1]), int(answer[2]), ends, int(answer[3]) / 1000 if answer[3] else None
