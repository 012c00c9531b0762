"""Names that have moved: programs import them from where they were, and what was pickled there is read."""

from __future__ import annotations

import importlib
import pickle

import pytest

from syncai.parameters import ModelRequestParameters, ResultSchema, ToolDefinition
from syncai.runs import RunContext

MOVED = [
    ('syncai.models', 'ModelRequestParameters', 'syncai.parameters'),
    ('syncai.models', 'ResultSchema', 'syncai.parameters'),
    ('syncai.settings', 'AskOptions', 'syncai.runs'),
    ('syncai.settings', 'RunOptions', 'syncai.runs'),
    ('syncai.tools', 'Instructions', 'syncai.runs'),
    ('syncai.tools', 'InstructionsFunction', 'syncai.runs'),
    ('syncai.tools', 'RunContext', 'syncai.runs'),
    ('syncai.tools', 'ToolDefinition', 'syncai.parameters'),
]


@pytest.mark.parametrize(('before', 'name', 'now'), MOVED, ids=lambda text: text)
def test_a_name_that_moved_is_the_same_object_where_it_was(before: str, name: str, now: str) -> None:
    module = importlib.import_module(before)
    assert getattr(module, name) is getattr(importlib.import_module(now), name)
    assert name in module.__all__
    everything: dict[str, object] = {}
    exec(f'from {before} import *', everything)
    assert name in everything


# As they were written before the move.
OF_PARAMETERS = (
    b'\x80\x02csyncai.models\nModelRequestParameters\nq\x00)\x81q\x01]q\x02(]q\x03csyncai.parameters\nToolDefinition\n'
    b'q\x04)\x81q\x05]q\x06(X\x01\x00\x00\x00tq\x07X\x00\x00\x00\x00q\x08}q\t(X\x04\x00\x00\x00typeq\nX\x06\x00\x00'
    b'\x00objectq\x0bX\n\x00\x00\x00propertiesq\x0c}q\ruNNeba)\x88X\x06\x00\x00\x00nativeq\x0ecsyncai.models\n'
    b'ResultSchema\nq\x0f)\x81q\x10]q\x11(X\x01\x00\x00\x00rq\x12}q\x13h\nh\x0bsNNeb\x89eb.'
)
OF_CONTEXT = (
    b'\x80\x02csyncai.tools\nRunContext\nq\x00)\x81q\x01]q\x02(X\x01\x00\x00\x00dq\x03Ncsyncai.usage\nUsage\nq\x04)\x81'
    b'q\x05]q\x06(K\x00NNNNebX\x01\x00\x00\x00pq\x07)K\x02K\x00NNeb.'
)


def test_pickles_that_name_the_old_places_are_read() -> None:
    schema = ResultSchema(name='r', schema={'type': 'object'})
    tool = ToolDefinition(name='t')
    expected = ModelRequestParameters(function_tools=[tool], result_mode='native', result_schema=schema)
    assert pickle.loads(OF_PARAMETERS) == expected
    assert pickle.loads(OF_CONTEXT) == RunContext(deps='d', prompt='p', run_step=2)


def test_pickles_of_today_are_read() -> None:
    for value in (ModelRequestParameters(result_mode='tool'), RunContext(deps='d', run_step=2)):
        assert pickle.loads(pickle.dumps(value)) == value
