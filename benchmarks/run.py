"""Measure syncai against its peers and write the table: `python benchmarks/run.py [--only a,b] [--runs N] [--quick]`.

Every measurement is a fresh process; the libraries take turns run by run, so that a slow minute of the machine affects
all of them; every figure is a median.
"""

from __future__ import annotations

import argparse
import compileall
import importlib.metadata
import importlib.util
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cases import LIBRARIES, Measurement, measurements
from report import Figures, Heading, growth, table, verdicts, with_overheads

HERE = Path(__file__).resolve().parent
MODULES = {name: name.replace('-', '_') for name in LIBRARIES}
MEMORY = 'import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)'
PACKAGES = ('syncai-client', 'openai', 'pydantic-ai-slim', 'httpx', 'httptools', 'pydantic', 'janus')


@dataclass(frozen=True)
class Addresses:
    """Where the server listens, and the certificate by which its clients trust it."""

    plain: str
    tls: str
    certificate: str

    def of(self, measurement: Measurement) -> str:
        """The base URL for one case."""
        return f'{self.tls if measurement.tls else self.plain}/{measurement.path}/v1'


@contextmanager
def local_server() -> Iterator[Addresses]:
    """The addresses of a server in a process of its own, ended on leaving."""
    command = [sys.executable, str(HERE / 'server.py')]
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen([*command, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        plain, tls = process.stdout.readline().split()
        yield Addresses(f'http://127.0.0.1:{plain}', f'https://127.0.0.1:{tls}', f'{folder}/ca.pem')
        process.stdin.close()


def child(arguments: list[str], certificate: str | None = None) -> tuple[str, float]:
    """The output of a fresh interpreter, and its wall time in ms."""
    environment = {**os.environ, 'NO_PROXY': '*', 'PYDANTIC_DISABLE_PLUGINS': '__all__'}
    if certificate:
        environment['SSL_CERT_FILE'] = certificate
    started = time.perf_counter()
    process = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, env=environment, timeout=300, check=False
    )
    wall = (time.perf_counter() - started) * 1e3
    if process.returncode:
        raise RuntimeError((process.stderr.strip().splitlines() or ['no output'])[-1])
    return process.stdout, wall


def one_run(measurement: Measurement, library: str, server: Addresses) -> dict[str, float]:
    """The figures of one fresh process."""
    if measurement.case == 'import':
        bare_memory, bare = child(['-c', MEMORY])
        memory, wall = child(['-c', f'import {MODULES[library]}; {MEMORY}'])
        return {'ms': wall - bare, 'memory_mb': float(memory) - float(bare_memory)}
    arguments = [library, measurement.case, server.of(measurement), str(measurement.count)]
    if measurement.case == 'first':
        bare = child(['-c', 'pass'])[1]
        output, wall = child([str(HERE / 'client.py'), *arguments], server.certificate)
        return {'ms': wall - bare, **json.loads(output)}
    extra = [str(measurement.threads)] if measurement.threads > 1 else []
    output, _ = child([str(HERE / measurement.script), *arguments, *extra], server.certificate)
    figures: dict[str, float] = json.loads(output)
    return figures


def measure(chosen: list[Measurement], libraries: list[str], runs: int, server: Addresses) -> Figures:
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
                        for figure, value in one_run(measurement, library, server).items():
                            samples[figure, library].append(value)
                    except (RuntimeError, subprocess.TimeoutExpired) as error:
                        failed.add(library)
                        print(f'{measurement.name}: {library} failed, left out: {error}', file=sys.stderr)
        for (figure, library), values in samples.items():
            if library not in failed:
                figures.setdefault((measurement.name, figure), {})[library] = statistics.median(values)
        print(f'{measurement.name}: measured', file=sys.stderr)
    return figures


def compile_as_installers_do(names: list[str]) -> None:
    """Compile all libraries to bytecode: installers do that, and a checkout has none where the environment forbids
    writing it.

    Otherwise every process would compile this project from source, and none of the others.
    """
    for name in names:
        spec = importlib.util.find_spec(MODULES[name])
        for folder in (spec.submodule_search_locations or ()) if spec else ():
            compileall.compile_dir(folder, quiet=2)


def installed(names: list[str]) -> list[str]:
    """The libraries that can be measured here; the others are named and skipped."""
    for name in names:
        if importlib.util.find_spec(MODULES[name]) is None:
            print(f'{name} is not installed: skipped', file=sys.stderr)
    return [name for name in names if importlib.util.find_spec(MODULES[name]) is not None]


def processor() -> str:
    """The name of the processor, as far as the system shows it."""
    information = Path('/proc/cpuinfo')
    lines = information.read_text().splitlines() if information.exists() else []
    names = (line.partition(':')[2].strip() for line in lines if line.startswith('model name'))
    return next(names, platform.processor() or platform.machine())


def heading(runs: int, quick: bool) -> Heading:
    """The machine, the versions and the method of the figures."""
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
        '--only', default='a,b,c,d,e,f,g,h,i,j,k', help='letters or names of the cases, with commas between'
    )
    parser.add_argument('--libraries', default=','.join(MODULES), help='which libraries, with commas between')
    parser.add_argument('--transport', choices=('both', 'plain', 'tls'), default='both', help='with or without TLS')
    parser.add_argument('--runs', type=int, default=5, help='processes for each figure (default 5)')
    parser.add_argument('--quick', action='store_true', help='small cases: to see that it works, not to quote')
    parser.add_argument('--output', type=Path, default=HERE / 'RESULTS.md', help='the file to write')
    options = parser.parse_args()
    options.only, options.libraries = options.only.split(','), options.libraries.split(',')
    if unknown := set(options.libraries) - set(MODULES):
        parser.error(f'unknown libraries {sorted(unknown)}; there are {", ".join(MODULES)}')
    transports = {'both': (False, True), 'plain': (False,), 'tls': (True,)}[options.transport]
    chosen = (m for m in measurements(options.quick) if {m.letter, m.name.removesuffix(', TLS')} & set(options.only))
    options.cases = [m for m in chosen if m.tls in transports]
    if not options.cases or options.runs < 1:
        parser.error('nothing to measure: --only takes a to k, --runs at least 1')
    return options


def main() -> None:
    """Measure, print, write."""
    options = arguments()
    libraries = installed(options.libraries)
    compile_as_installers_do(libraries)
    with local_server() as server:
        figures = measure(options.cases, libraries, options.runs, server)
    ideal = 0.5 if options.quick else 2.0
    figures = with_overheads(figures)
    parts = [heading(options.runs, options.quick).text(), table(figures), growth(figures), verdicts(figures, ideal)]
    text = '\n\n'.join(part for part in parts if part) + '\n'
    options.output.write_text(text)
    print(text)


if __name__ == '__main__':
    main()
