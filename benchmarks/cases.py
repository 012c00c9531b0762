"""The measured cases: the answer of the server, and the use that a client makes of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

LIBRARIES = ('syncai', 'openai', 'pydantic-ai', 'httpx')


@dataclass(frozen=True)
class Measurement:
    """One case: the answer of the server, and the task of the client."""

    letter: str
    name: str
    case: str
    path: str
    count: int
    threads: int = 1
    script: str = 'client.py'
    libraries: tuple[str, ...] = LIBRARIES
    tls: bool = False

    @property
    def over_tls(self) -> Measurement:
        """The same over TLS, where it makes a difference."""
        return replace(self, name=f'{self.name}, TLS', tls=True)


def measurements(quick: bool) -> list[Measurement]:
    """All cases, first plain and then over TLS; those of `--quick` are too small to quote."""
    plain = [*client_cases(quick), *agent_cases(quick), *web_cases(quick), *map_cases(quick)]
    return [*plain, *(case.over_tls for case in plain if case.path)]


def client_cases(quick: bool) -> list[Measurement]:
    """The cases without agents; those with very many threads leave out the libraries that take minutes for them."""
    burst, paced, calls, streams = (500, 200, 50, 25) if quick else (2000, 1000, 300, 100)
    few = ('syncai', 'openai', 'httpx')
    return [
        Measurement('a', 'burst', 'burst', f'burst-{burst}', burst),
        Measurement('b', 'paced', 'paced', f'paced-{paced}-1000', paced),
        Measurement('c', '100 threads', 'threads', f'paced-{streams}-50', streams, 100),
        Measurement('c', '300 threads', 'threads', f'paced-{streams}-50', streams, 300),
        Measurement('c', '1,000 threads', 'threads', 'paced-20-10', 20, 1000, libraries=few),
        Measurement('c', '3,000 threads', 'threads', 'paced-10-5', 10, 3000, libraries=few),
        Measurement('d', 'short call', 'short', 'short', calls),
        Measurement('e', 'import', 'import', '', 0),
        Measurement('e', 'first request', 'first', 'short', 1),
        Measurement('e', 'early exit', 'leave', 'paced-10000-200', 0, libraries=('syncai',)),
        Measurement('e', 'Ctrl-C', 'interrupt', 'paced-100-0.1', 0, libraries=('syncai',)),
    ]


def agent_cases(quick: bool) -> list[Measurement]:
    """The cases of agents."""
    both, alone = ('syncai', 'pydantic-ai'), ('syncai',)
    runs, burst, sizes = (50, 500, (5, 10)) if quick else (300, 2000, (25, 50, 100, 200))

    def agent(letter: str, name: str, case: str, path: str, count: int, libraries: tuple[str, ...]) -> Measurement:
        return Measurement(letter, name, case, path, count, script='agents.py', libraries=libraries)

    def rows(way: str, name: str, size: int, peers: tuple[str, ...]) -> Measurement:
        return agent('h', f'{name}, {size} kB', way, f'rows-{size}', size, both if size == sizes[0] else peers)

    ways = ('get_data', 'stream_items', 'stream_structured', 'stream')
    return [
        agent('f', 'agent run', 'run', 'short', runs, (*both, 'httpx')),
        agent('g', 'text of a run', 'text', f'burst-{burst}', burst, both),
        agent('g', 'events of a run', 'events', f'burst-{burst}', burst, alone),
        agent('g', 'encoded for a page', 'encode', f'burst-{burst}', burst, alone),
        *(replace(rows(way, way, size, alone), libraries=alone) for way in ways[:3] for size in sizes),
        *(rows('stream', 'stream', size, alone) for size in sizes),
        *(rows('stream_each', 'every snapshot', size, alone) for size in sizes[:3]),
        agent('i', 'map of 1,000 runs', 'map', 'slow-50', 100, alone),
    ]


def web_cases(quick: bool) -> list[Measurement]:
    """Views of Flask and of Django under gunicorn: a short answer, 64 streams side by side, and 64 for a chat page."""
    calls, events = (100, 20) if quick else (2000, 200)
    both = ('syncai', 'openai')
    chats = Measurement('j', 'django: 64 chats', 'django-chat', f'burst-{events}', 256, 64, 'web.py', both)
    return [
        chats,
        *(
            case
            for framework in ('flask', 'django')
            for case in (
                Measurement('j', f'{framework}: short', f'{framework}-short', 'short', calls, 16, 'web.py', both),
                Measurement(
                    'j', f'{framework}: 64 streams', f'{framework}-stream', f'burst-{events}', 256, 64, 'web.py', both
                ),
            )
        ),
    ]


def map_cases(quick: bool) -> list[Measurement]:
    """Maps with a journal, and tapes; with `TestModel`, so that nothing else is measured."""
    rows, runs, sizes = (500, 100, (1000, 2000)) if quick else (10_000, 1000, (10_000, 100_000))

    def case(name: str, case: str, count: int) -> Measurement:
        return Measurement('k', name, case, '', count, script='maps.py', libraries=('syncai',))

    return [
        case('journal', 'journal', rows),
        case('tape', 'tape', runs),
        *(case(f'map of {size:,} rows with a journal', 'memory', size) for size in sizes),
    ]
