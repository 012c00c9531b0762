"""Builds sdist and wheel, and installs the wheel without extras in a fresh environment, as a user does.

    python tests/support/package.py

Exits with status 1 if something is missing or does not run, and names it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parent.parent.parent
IN_SDIST = (
    '.pre-commit-config.yaml',
    'CHANGELOG.md',
    'CONTRIBUTING.md',
    'LICENSE',
    'Makefile',
    'README.md',
    'SECURITY.md',
    'mkdocs.yml',
    'pyproject.toml',
)
FOLDERS_IN_SDIST = ('.ci', '.github', 'benchmarks', 'docs', 'syncai', 'tests')
OF_EXTRAS = ('botocore', 'brotli', 'click', 'genai_prices', 'google.auth', 'opentelemetry', 'rich')
WITHOUT_MODEL = ('SYNCAI_MODEL', 'OPENAI_API_KEY', 'OPENAI_BASE_URL', 'PYTHONPATH')

TRY = f"""
import importlib.metadata, importlib.resources, importlib.util, sys
import syncai
assert importlib.metadata.version('syncai-client') == syncai.__version__
assert importlib.resources.files('syncai').joinpath('py.typed').is_file(), 'py.typed is missing'
for name in syncai.__all__:
    getattr(syncai, name)
def is_there(name):
    return name.split('.')[0] in sys.modules or importlib.util.find_spec(name.split('.')[0]) is not None
assert not [name for name in {OF_EXTRAS!r} if is_there(name)], 'an extra was installed'
print('syncai', syncai.__version__, 'imports from', syncai.__file__)
"""


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    """The output of a command.

    Raises:
        SystemExit: It failed; shows its output.
    """
    environment = {name: value for name, value in os.environ.items() if name not in WITHOUT_MODEL}
    process = subprocess.run(
        [*map(str, command)], cwd=cwd, env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    if process.returncode != 0:
        raise SystemExit(f'{" ".join(map(str, command))} failed:\n{process.stdout}{process.stderr}')
    return process.stdout


def missing_in_sdist(names: list[str]) -> list[str]:
    """The missing files of an sdist with these files, without their first folder."""
    paths = [PurePosixPath(*PurePosixPath(name).parts[1:]) for name in names]
    files, folders = {str(path) for path in paths}, {path.parts[0] for path in paths if len(path.parts) > 1}
    return [*sorted({*IN_SDIST} - files), *sorted({*FOLDERS_IN_SDIST} - folders)]


def strangers_in_wheel(names: list[str]) -> list[str]:
    """The files of a wheel that belong neither to the package nor to its metadata."""
    return [name for name in names if not name.startswith(('syncai/', 'syncai_client-'))]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        dist, fresh = Path(folder, 'dist'), Path(folder, 'fresh')
        run(sys.executable, '-m', 'build', '--outdir', dist)  # the wheel is built from the sdist
        sdist, wheel = next(dist.glob('*.tar.gz')), next(dist.glob('*.whl'))
        with tarfile.open(sdist) as archive:
            if missing := missing_in_sdist(archive.getnames()):
                raise SystemExit(f'{sdist.name} lacks {", ".join(missing)}')
        with zipfile.ZipFile(wheel) as archive:
            if strangers := strangers_in_wheel(archive.namelist()):
                raise SystemExit(f'{wheel.name} holds {", ".join(strangers[:5])}')
        print(f'{sdist.name} and {wheel.name} hold what they should')
        venv.create(fresh, with_pip=True)
        python = fresh / 'bin' / 'python'
        run(python, '-m', 'pip', '--disable-pip-version-check', '--quiet', 'install', wheel)
        print(run(python, '-m', 'pip', '--disable-pip-version-check', 'check').strip())
        print(run(python, '-I', '-W', 'error', '-c', TRY, cwd=Path(folder)).strip())
        answer = run(python, '-I', '-m', 'syncai.demo', cwd=Path(folder)).strip()
        print(f'The demo printed {len(answer)} characters')
        if not answer:
            raise SystemExit('the demo printed nothing')


if __name__ == '__main__':
    main()
