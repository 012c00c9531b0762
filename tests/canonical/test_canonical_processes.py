"""The canonical bytes in other processes, with other seeds of hashes, and in other versions of Python."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
SAMPLE = ROOT / 'tests' / 'support' / 'canonical_sample.py'
PYTHONS = sorted(
    {sys.executable, *map(str, Path.home().glob('.pyenv/versions/3.1[1-9]*/bin/python'))}
    | {str(path) for path in map(Path, ('/usr/bin/python3.12', '/usr/bin/python3.13')) if path.exists()}
)


def sample(seed: str, python: str = sys.executable, *args: str) -> bytes:
    environment = {**os.environ, 'PYTHONHASHSEED': seed, 'PYTHONPATH': str(ROOT)}
    return subprocess.run(
        [python, str(SAMPLE), *args], env=environment, capture_output=True, check=True, timeout=60
    ).stdout


@pytest.mark.slow
def test_every_process_writes_the_same_bytes() -> None:
    assert len({sample(seed, sys.executable, 'int') for seed in ('0', '1', '4242')}) == 1


@pytest.mark.slow
@pytest.mark.parametrize('python', PYTHONS)
def test_every_python_writes_the_same_bytes(python: str) -> None:
    # Written by hand by the rules: what another version of Python may write differently shows as a difference.
    expected = (
        'syncai value 1\n'
        '{"bytes":{"bytes":2,"sha256":"06eb7d6a69ee19e5fbdf749018d3d2abfa04bcbd1365db312eb86dc7169389b8"},'
        '"more":["2026-01-01","PT90.5S","1.50","00000000-0000-0000-0000-000000000007",1e+16,1e-07,'
        '100000000000000000000],'
        '"point":{"tags":["u","v","w","x","y","z"],"x":-0.0},'
        '"points":["green","red",1,2.5,null],'
        '"text":"e\u0301 \u00e9 \\r\\n \ud83d",'
        '"when":["2026-01-01T00:00:00Z","2026-01-01T00:00:00Z"],'
        '"words":["a","b","c","d","e","f"]}'
    ).encode('utf-8', 'surrogatepass')
    assert sample('7', python) == expected


PDF = {'sha256': hashlib.sha256(b'%PDF-1.7').hexdigest(), 'bytes': 8, 'media_type': 'application/pdf'}
SCHEMA = {'type': 'object', 'properties': {'a': {'type': 'integer'}}, 'required': ['a', 'b']}
ARGUMENTS = {'a': 1, 'b': 2.5}
REQUEST = {
    'model': {'provider': 'openai', 'name': 'gpt-4o'},
    'messages': [
        {
            'request': [
                {'system': 'Be brief.'},
                {'user': ['look', {'kind': 'image-url', 'url': 'https://host.example/a.png'}, PDF]},
            ],
            'instructions': 'Answer.',
        },
        {
            'response': [
                {'thinking': 'hm'},
                {'text': 'I see'},
                {'tool': 'add', 'call': 1, 'arguments': ARGUMENTS},
                {'tool': 'add', 'call': 2, 'arguments': ARGUMENTS},
            ]
        },
        {
            'request': [
                {'tool': 'add', 'call': 1, 'return': {'x': 3.5, 'tags': ['u', 'v', 'w', 'x', 'y', 'z']}},
                {'tool': 'add', 'call': 2, 'return': {'1': 'one'}},
            ]
        },
    ],
    'settings': {'temperature': 1, 'max_tokens': 5, 'logit_bias': {'7': 1, '8': -1}},
    'parameters': {
        'function_tools': [{'name': 'add', 'description': 'Adds.', 'parameters_json_schema': SCHEMA}],
        'result_schema': {'name': 'answer', 'schema': SCHEMA},
    },
}
"""Written by hand by the rules. The suite runs on each supported Python, so that this holds for all of them."""


@pytest.mark.slow
def test_the_bytes_of_a_request_that_has_one_of_everything() -> None:
    form = json.dumps(REQUEST, sort_keys=True, separators=(',', ':'))
    assert sample('11', sys.executable, 'int').splitlines()[:2] == [b'syncai request 1', form.encode()]
