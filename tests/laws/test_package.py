"""The package: metadata, sdist, checks of a release, commands for contributors."""

from __future__ import annotations

import itertools
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from package import FOLDERS_IN_SDIST, IN_SDIST, missing_in_sdist, strangers_in_wheel
from release import lacks

ROOT = Path(__file__).parent.parent.parent
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / 'pyproject.toml').read_text())
PROJECT = PYPROJECT['project']
TARGETS = set(re.findall(r'^([a-z-]+):', (ROOT / 'Makefile').read_text(), re.MULTILINE))


def test_the_classifiers_name_the_versions_that_are_tested() -> None:
    named = [c.rsplit(' ', 1)[1] for c in PROJECT['classifiers'] if re.search(r':: 3\.\d+$', c)]
    versions = re.search(r'^versions=\((.*)\)$', (ROOT / '.ci' / 'run').read_text(), re.MULTILINE)
    assert versions is not None
    assert versions[1].split() == named
    assert PROJECT['requires-python'] == f'>={named[0]}'


def test_what_the_sdist_is_said_to_hold_exists() -> None:
    include = PYPROJECT['tool']['hatch']['build']['targets']['sdist']['include']
    assert [name for name in include if not (ROOT / name).exists()] == []
    assert {*IN_SDIST, *FOLDERS_IN_SDIST} <= {*include, 'pyproject.toml'}


def test_what_an_sdist_or_a_wheel_lacks_is_seen() -> None:
    whole = [f'syncai-1/{name}' for name in (*IN_SDIST, *(f'{folder}/x' for folder in FOLDERS_IN_SDIST))]
    assert missing_in_sdist(whole) == []
    assert missing_in_sdist(whole[1:-1]) == [IN_SDIST[0], FOLDERS_IN_SDIST[-1]]
    assert strangers_in_wheel(['syncai/a.py', 'tests/a.py', 'syncai_client-1.dist-info/METADATA']) == ['tests/a.py']


COMPLETE = '# Changes\n\n## Unreleased\n\n## 0.1.0 - 2026-11-27\n\n- A line.\n'
URLS = {'urls': {'Source': 'https://code.example'}}


@pytest.mark.parametrize(
    ('changelog', 'project', 'lines'),
    [
        (COMPLETE, URLS, []),
        (COMPLETE.replace(' - 2026-11-27', ''), URLS, ['write the date']),
        (COMPLETE.replace('0.1.0', '0.0.9'), URLS, ['no section for 0.1.0']),
        (COMPLETE.replace('Unreleased\n', 'Unreleased\n\n- Another.\n'), URLS, ['under Unreleased']),
        (COMPLETE.replace('- A line', 'not published'), URLS, ['not published']),
        (COMPLETE, {'urls': {}}, ['address of the repository']),
    ],
)
def test_what_a_release_lacks_is_said(changelog: str, project: dict[str, Any], lines: list[str]) -> None:
    found = [*lacks('0.1.0', changelog, project)]
    assert len(found) == len(lines)
    assert all(part in line for part, line in zip(lines, found, strict=True))


def test_the_changelog_has_a_section_for_this_version() -> None:
    from syncai import __version__

    assert re.search(rf'^## {re.escape(__version__)}\b', (ROOT / 'CHANGELOG.md').read_text(), re.MULTILINE)


@pytest.mark.parametrize('path', ['CONTRIBUTING.md', '.pre-commit-config.yaml', '.github/PULL_REQUEST_TEMPLATE.md'])
def test_every_command_that_is_named_exists(path: str) -> None:
    lines = re.findall(r'(?:`|entry: |^)make ([a-z -]+)', (ROOT / path).read_text(), re.MULTILINE)
    assert lines
    assert {target for line in lines for target in line.split()} <= TARGETS


def test_every_file_that_contributors_are_sent_to_exists() -> None:
    text = (ROOT / 'CONTRIBUTING.md').read_text()
    rooms = {name for name in re.findall(r'`((?:\w+/)+\w+)`', text) if name.split('/')[0] in ROOMS}
    assert len(rooms) > 30
    assert [name for name in sorted(rooms) if not is_there(ROOT / 'syncai' / name)] == []
    tests = {name.rsplit('/', 1)[-1] for name in re.findall(r'`((?:\w+/)*test_\w+\.py)`', text)}
    assert len(tests) > 10
    assert [name for name in sorted(tests) if not any((ROOT / 'tests').rglob(name))] == []


ROOMS = {path.stem for path in (ROOT / 'syncai').iterdir()}


def is_there(path: Path) -> bool:
    return path.is_dir() or path.with_suffix('.py').is_file()


@pytest.mark.parametrize(
    'line', [*itertools.chain(PROJECT['dependencies'], *PROJECT['optional-dependencies'].values())]
)
def test_every_dependency_names_its_lowest_version(line: str) -> None:
    assert '>=' in line, 'write the lowest version that works: make test-lowest installs it'


def test_every_target_is_phony_or_in_the_list_of_help() -> None:
    text = (ROOT / 'Makefile').read_text()
    phony = re.search(r'^\.PHONY: (.*)$', text, re.MULTILINE)
    assert phony is not None
    assert {*phony[1].split()} == TARGETS


def test_the_hooks_download_nothing() -> None:
    yaml = pytest.importorskip('yaml', reason='vcrpy brings it')
    hooks = yaml.safe_load((ROOT / '.pre-commit-config.yaml').read_text())['repos']
    assert {repo['repo'] for repo in hooks} == {'local'}
    assert {hook['language'] for repo in hooks for hook in repo['hooks']} == {'system'}


@pytest.mark.parametrize('path', sorted((ROOT / '.github' / 'ISSUE_TEMPLATE').glob('*.md')), ids=lambda p: p.name)
def test_issue_templates_have_a_name_and_a_purpose(path: Path) -> None:
    yaml = pytest.importorskip('yaml', reason='vcrpy brings it')
    _, head, body = path.read_text().split('---\n', 2)
    assert {'name', 'about'} <= set(yaml.safe_load(head))
    assert body.strip()
