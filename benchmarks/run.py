"""Measure syncai against its peers and write the table: `python benchmarks/run.py [--only a,b] [--runs N] [--quick]`.

Every measurement is a fresh process; the libraries take turns run by run, so that a slow minute of the machine hits
all alike; every figure is a median.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from report import Figures, Heading, growth, table, verdicts, with_overheads

HERE = Path(__file__).resolve().parent
MODULES = {'syncai': 'syncai', 'openai': 'openai', 'pydantic-ai': 'pydantic_ai', 'httpx': 'httpx'}
MEMORY = 'import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)'
PACKAGES = ('syncai-client', 'openai', 'pydantic-ai-slim', 'httpx', 'httptools', 'pydantic', 'janus')


@dataclass(frozen=True)
class Measurement:
    """One case: which answer the server gives, and what the client is asked to do with it."""

    letter: str
    name: str
    case: str
    path: str
    count: int
    threads: int = 1
    script: str = 'client.py'
    libraries: tuple[str, ...] = tuple(MODULES)


def measurements(quick: bool) -> list[Measurement]:
    """All cases; quick ones are too small to quote."""
    burst, paced, calls, streams = (500, 200, 50, 25) if quick else (2000, 1000, 300, 100)
    return [
        Measurement('a', 'burst', 'burst', f'burst-{burst}', burst),
        Measurement('b', 'paced', 'paced', f'paced-{paced}-1000', paced),
        Measurement('c', '100 threads', 'threads', f'paced-{streams}-50', streams, 100),
        Measurement('c', '300 threads', 'threads', f'paced-{streams}-50', streams, 300),
        Measurement('d', 'short call', 'short', 'short', calls),
        Measurement('e', 'import', 'import', '', 0),
        Measurement('e', 'first request', 'first', 'short', 1),
        Measurement('e', 'early exit', 'leave', 'paced-10000-200', 0, libraries=('syncai',)),
        Measurement('e', 'Ctrl-C', 'interrupt', 'paced-100-0.1', 0, libraries=('syncai',)),
        *agent_measurements(quick),
    ]


def agent_measurements(quick: bool) -> list[Measurement]:
    """The cases of agents."""
    both, alone = ('syncai', 'pydantic-ai'), ('syncai',)
    runs, burst, sizes = (50, 500, (5, 10)) if quick else (300, 2000, (25, 50, 100, 200))

    def agent(letter: str, name: str, case: str, path: str, count: int, libraries: tuple[str, ...]) -> Measurement:
        return Measurement(letter, name, case, path, count, script='agents.py', libraries=libraries)

    ways = ('get_data', 'stream_items', 'stream_structured', 'stream')
    return [
        agent('f', 'agent run', 'run', 'short', runs, (*both, 'httpx')),
        agent('g', 'text of a run', 'text', f'burst-{burst}', burst, both),
        *(
            agent(
                'h',
                f'{way}, {size} kB',
                way,
                f'rows-{size}',
                size,
                both if (way, size) == ('stream', sizes[0]) else alone,
            )
            for way in ways
            for size in sizes
        ),
        agent('h', f'every snapshot, {sizes[0]} kB', 'stream_each', f'rows-{sizes[0]}', sizes[0], both),
        agent('i', 'map of 1,000 runs', 'map', 'slow-50', 100, alone),
    ]


@contextmanager
def local_server() -> Iterator[str]:
    """The address of a server in a process of its own, ended on leaving."""
    command = [sys.executable, str(HERE / 'server.py')]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield f'http://127.0.0.1:{process.stdout.readline().strip()}'
        process.stdin.close()


def child(arguments: list[str]) -> tuple[str, float]:
    """What a fresh interpreter prints, and its wall time in ms."""
    environment = {**os.environ, 'NO_PROXY': '*', 'PYDANTIC_DISABLE_PLUGINS': '__all__'}
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, env=environment, timeout=300, check=False
    )
    wall = (time.perf_counter() - started) * 1e3
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or ['no output'])[-1])
    return done.stdout, wall


def one_run(measurement: Measurement, library: str, url: str) -> dict[str, float]:
    """The figures of one fresh process."""
    if measurement.case == 'import':
        bare_memory, bare = child(['-c', MEMORY])
        memory, wall = child(['-c', f'import {MODULES[library]}; {MEMORY}'])
        return {'ms': wall - bare, 'memory_mb': float(memory) - float(bare_memory)}
    arguments = [library, measurement.case, f'{url}/{measurement.path}/v1', str(measurement.count)]
    if measurement.case == 'first':
        bare = child(['-c', 'pass'])[1]
        output, wall = child([str(HERE / 'client.py'), *arguments])
        return {'ms': wall - bare, **json.loads(output)}
    extra = [str(measurement.threads)] if measurement.threads > 1 else []
    figures: dict[str, float] = json.loads(child([str(HERE / measurement.script), *arguments, *extra])[0])
    return figures


def measure(chosen: list[Measurement], libraries: list[str], runs: int, url: str) -> Figures:
    """Medians by (case, figure) and library."""
    figures: Figures = {}
    for measurement in chosen:
        samples: dict[tuple[str, str], list[float]] = defaultdict(list)
        failed: set[str] = set()
        for turn in range(runs):
            able = [library for library in libraries if library in measurement.libraries]
            for library in able[turn % len(able) :] + able[: turn % len(able)]:
                if library not in failed:
                    try:
                        for figure, value in one_run(measurement, library, url).items():
                            samples[figure, library].append(value)
                    except (RuntimeError, subprocess.TimeoutExpired) as error:
                        failed.add(library)
                        print(f'{measurement.name}: {library} failed, left out: {error}', file=sys.stderr)
        for (figure, library), values in samples.items():
            if library not in failed:
                figures.setdefault((measurement.name, figure), {})[library] = statistics.median(values)
        print(f'{measurement.name}: measured', file=sys.stderr)
    return figures


def installed(names: list[str]) -> list[str]:
    """The libraries that can be measured here; the others are named and skipped."""
    for name in names:
        if importlib.util.find_spec(MODULES[name]) is None:
            print(f'{name} is not installed: skipped', file=sys.stderr)
    return [name for name in names if importlib.util.find_spec(MODULES[name]) is not None]


def processor() -> str:
    """The name of the processor, as far as the system tells."""
    information = Path('/proc/cpuinfo')
    lines = information.read_text().splitlines() if information.exists() else []
    names = (line.partition(':')[2].strip() for line in lines if line.startswith('model name'))
    return next(names, platform.processor() or platform.machine())


def heading(runs: int, quick: bool) -> Heading:
    """Where, with what and how the figures came about."""
    versions = []
    for package in PACKAGES:
        try:
            versions.append(f'{package} {importlib.metadata.version(package)}')
        except importlib.metadata.PackageNotFoundError:
            versions.append(f'{package} not installed')
    return Heading(
        machine=f'{os.cpu_count()} x {processor()}, {platform.system()} {platform.release()}',
        python=f'{platform.python_implementation()} {platform.python_version()}',
        versions=', '.join(versions),
        command=f'python benchmarks/run.py {shlex.join(sys.argv[1:])}'.strip(),
        runs=runs,
        quick=quick,
    )


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument(
        '--only', default='a,b,c,d,e,f,g,h,i', help='letters or names of the cases, with commas between'
    )
    parser.add_argument('--libraries', default=','.join(MODULES), help='which libraries, with commas between')
    parser.add_argument('--runs', type=int, default=5, help='processes for each figure (default 5)')
    parser.add_argument('--quick', action='store_true', help='small cases: to see that it works, not to quote')
    parser.add_argument('--output', type=Path, default=HERE / 'RESULTS.md', help='the file to write')
    options = parser.parse_args()
    options.only, options.libraries = options.only.split(','), options.libraries.split(',')
    if unknown := set(options.libraries) - set(MODULES):
        parser.error(f'unknown libraries {sorted(unknown)}; there are {", ".join(MODULES)}')
    options.cases = [m for m in measurements(options.quick) if {m.letter, m.name} & set(options.only)]
    if not options.cases or options.runs < 1:
        parser.error('nothing to measure: --only takes a to i, --runs at least 1')
    return options


def main() -> None:
    """Measure, print, write."""
    options = arguments()
    with local_server() as url:
        figures = measure(options.cases, installed(options.libraries), options.runs, url)
    ideal = 0.5 if options.quick else 2.0
    figures = with_overheads(figures)
    parts = [heading(options.runs, options.quick).text(), table(figures), growth(figures), verdicts(figures, ideal)]
    text = '\n\n'.join(part for part in parts if part) + '\n'
    options.output.write_text(text)
    print(text)


if __name__ == '__main__':
    main()
