"""One more row of the table is one more provider: all that needs the names of providers takes them from there."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from syncai.testing import ModelServer, Reply

pytestmark = pytest.mark.slow  # a process, since the row must be there before the package reads the table

PROGRAM = """
import json
import syncai._providers.local_rows as rows
from syncai._providers.provider import Provider

rows.SELF_HOSTED += (
    Provider(
        name='new-one',
        title='New One',
        other_names=('brand-new',),
        key_variables=('NEW_ONE_KEY',),
        base_url_variables=('NEW_ONE_URL',),
    ),
)

from syncai import Agent, UserError
from syncai._canonical import canonical_request
from syncai.limits import limit, limits_in_force, remove_limit
from syncai.settings import check_settings

said = {}


def refusal(function, *arguments):
    try:
        function(*arguments)
    except UserError as error:
        return str(error)


settings = {'new_one_tier': 'fast', 'new_one_labels': {'team': 'a'}}
check_settings(settings)
said['refused'] = refusal(check_settings, {'newer_one_tier': 1})

limit('Brand_New:large', max_concurrency=2)
said['limit'] = list(limits_in_force)
remove_limit('new-one:large')
said['near'] = refusal(limit, 'newone')

said['canonical'] = canonical_request('new-one', 'large', [], settings).form['settings']

agent = Agent('Brand_New:large', model_settings=settings)
result = agent.run_sync('Hi')
said['answer'] = (result.data, result.response.provider_name)
print(json.dumps(said))
"""


def test_a_row_is_all_that_a_provider_needs() -> None:
    with ModelServer(Reply('Hello')) as server:
        environment = {**os.environ, 'NEW_ONE_KEY': 'key', 'NEW_ONE_URL': server.base_url}
        done = subprocess.run(
            [sys.executable, '-c', PROGRAM], capture_output=True, text=True, timeout=50, check=False, env=environment
        )
        requests = server.requests
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said['refused'].startswith("Unknown model setting 'newer_one_tier'")
    assert said['limit'] == ['new-one:large']
    assert "did you mean 'new-one'?" in said['near']
    assert said['canonical'] == {'new_one_tier': 'fast'}  # labels say nothing to the model
    assert said['answer'] == ['Hello', 'new-one']
    (request,) = requests
    assert request.headers['authorization'] == 'Bearer key'
    body = request.json
    assert (body['model'], body['tier'], body['labels']) == ('large', 'fast', {'team': 'a'})
