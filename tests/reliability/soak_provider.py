"""The model server of the soak, in a process of its own: answers at random, with every fault that it can inject.

    python tests/reliability/soak_provider.py SEED

Prints its address, and serves until its standard input is closed.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from typing import Any

from syncai.testing import ModelServer, RecordedRequest, Reply, ToolCall

TEXT = ('Some ', 'words ', 'of ', 'an ', 'answer, ', 'one ', 'event ', 'each.')
USAGE = (7, 9)
STATUSES = (400, 401, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 529)
ENDINGS: tuple[Any, ...] = ('eof', 'cut', 'reset', 'error')


class Answers:
    """A reply for each request: about half of them sound, the rest with a fault.

    Args:
        chance: The source of everything that is random here.
    """

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    def __call__(self, request: RecordedRequest) -> Reply:
        chance = self._chance
        if chance.random() < 0.5:
            return self._sound(request)
        return chance.choice(self._faults())(request)

    def _sound(self, request: RecordedRequest) -> Reply:
        if isinstance(request.json, dict) and request.json.get('tools') and self._chance.random() < 0.5:
            calls = [ToolCall('work', {'n': self._chance.randrange(10)}, id=f'call_{i}') for i in range(2)]
            return Reply(tool_calls=calls[: self._chance.randint(1, 2)], usage=USAGE)
        return Reply(*TEXT, usage=USAGE, events_per_write=self._chance.choice((1, 1, 4)))

    def _faults(self) -> list[Callable[[RecordedRequest], Reply]]:
        return [
            self._status,
            self._broken_off,
            self._late,
            self._not_an_answer,
            self._malformed,
            self._in_pieces,
            self._long,
            self._wrong_call,
        ]

    def _status(self, request: RecordedRequest) -> Reply:
        status = self._chance.choice(STATUSES)
        name, value = self._chance.choice(
            (('retry-after', '0'), ('retry-after-ms', '20'), ('x-should-retry', 'false'), ('retry-after', '3600'))
        )
        body = self._chance.choice((None, None, '', '<html>bad gateway</html>', 'null'))
        return Reply(status=status, headers={name: value}, body=body)

    def _broken_off(self, request: RecordedRequest) -> Reply:
        if self._chance.random() < 0.3:
            return Reply(ending='reset_before_headers', delay_headers=self._chance.choice((0, 0.02)))
        after = self._chance.choice((None, 0, 1, 4))
        return Reply(*TEXT, ending=self._chance.choice(ENDINGS), cut_after_events=after)

    def _late(self, request: RecordedRequest) -> Reply:
        seconds = self._chance.choice((0.05, 0.3, 1.5))  # 1.5 is longer than the client has patience
        place = self._chance.choice(('delay_headers', 'delay_first_event', 'delay_between_events'))
        return Reply(*TEXT, usage=USAGE, **{place: seconds})  # type: ignore[arg-type]

    def _not_an_answer(self, request: RecordedRequest) -> Reply:
        return self._chance.choice(
            (
                Reply(body='<html>Welcome to the hotel</html>', content_type='text/html'),
                Reply(body={'some': 'JSON'}, content_type='application/json'),
                Reply(body=b''),
                Reply(body=b'\x00\xff' * 500, content_type='application/octet-stream'),
                Reply(status=302, headers={'location': 'http://169.254.169.254/latest'}),
                Reply(*TEXT, content_type='text/plain'),
            )
        )

    def _malformed(self, request: RecordedRequest) -> Reply:
        return Reply(*TEXT, malformed_event_at=self._chance.choice((0, 3)))

    def _in_pieces(self, request: RecordedRequest) -> Reply:
        return Reply(*TEXT, usage=USAGE, cut_bytes=self._chance.choice((1, 7, 100)))

    def _long(self, request: RecordedRequest) -> Reply:
        if self._chance.random() < 0.3:
            return Reply(*TEXT, big_event_bytes=self._chance.choice((100_000, 2_000_000)))
        return Reply(*TEXT, repeat=300, events_per_write=self._chance.choice((1, 16)), finish_reason='length')

    def _wrong_call(self, request: RecordedRequest) -> Reply:
        call = self._chance.choice(
            (ToolCall('work', '{"n": '), ToolCall('work', {'n': 'many'}), ToolCall('unknown'), ToolCall('work', '[]'))
        )
        return Reply(tool_calls=[call], usage=USAGE)


def main() -> None:
    with ModelServer(Answers(random.Random(int(sys.argv[1])))) as server:
        print(server.base_url, flush=True)
        sys.stdin.read()


if __name__ == '__main__':
    main()
