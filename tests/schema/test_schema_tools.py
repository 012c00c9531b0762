"""JSON schemas that somebody wrote: `Tool.from_schema`, and the checks of values, against another implementation."""

from __future__ import annotations

import asyncio
import pickle
from typing import Any

import pytest
from every_provider import EVERY, Make, chat
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator, Draft202012Validator  # type: ignore[import-untyped]
from pydantic import BaseModel, ValidationError
from sampling import examples

from syncai import Agent, RunContext
from syncai._schema.compiler import check_of
from syncai.exceptions import UserError
from syncai.messages import RetryPromptPart
from syncai.testing import ModelServer, Reply, ToolCall
from syncai.tools import Tool

CITY: dict[str, Any] = {
    '$schema': 'https://json-schema.org/draft/2020-12/schema',
    'type': 'object',
    'properties': {
        'city': {'type': 'string', 'minLength': 2},
        'days': {'type': 'integer', 'minimum': 1, 'maximum': 14},
        'units': {'enum': ['celsius', 'fahrenheit']},
        'near': {'type': 'array', 'items': {'$ref': '#/$defs/place'}},
    },
    'required': ['city'],
    'additionalProperties': False,
    '$defs': {'place': {'type': 'object', 'properties': {'name': {'type': 'string'}}, 'required': ['name']}},
}


class Place(BaseModel):
    name: str


def echo(args: dict[str, Any]) -> dict[str, Any]:
    return args


def tool(schema: Any = None, function: Any = echo, **options: Any) -> Tool[Any]:
    return Tool.from_schema('weather', 'The weather.', CITY if schema is None else schema, function, **options)


def errors(tool: Tool[Any], args: Any) -> list[tuple[Any, ...]]:
    with pytest.raises(ValidationError) as caught:
        tool.schema.validate(args)
    return [(error['loc'], error['msg']) for error in caught.value.errors()]


# --- the tool ---------------------------------------------------------------------------------------------------------


@EVERY
@pytest.mark.parametrize('stream', [False, True], ids=['whole', 'stream'])
def test_a_tool_of_a_schema_in_a_run(make: Make, stream: bool) -> None:
    """Arguments that do not fit go back to the model, with the place; others reach the function as a dict."""
    calls: list[Any] = []

    def look(args: dict[str, Any]) -> str:
        calls.append(args)
        return 'rain'

    script = [
        Reply(tool_calls=ToolCall('weather', '{"days": 20, "near": [{}]}')),
        Reply(tool_calls=ToolCall('weather', '{"city": "Paris", "near": [{"name": "Lyon"}]}')),
        Reply('It rains.'),
    ]
    with ModelServer(script) as server:
        agent = Agent(make(server), tools=[tool(function=look)])
        if stream:
            with agent.run_stream_sync('go') as run:
                assert run.get_data() == 'It rains.'
                messages = run.all_messages()
        else:
            messages = agent.run_sync('go').all_messages()
    assert calls == [{'city': 'Paris', 'near': [{'name': 'Lyon'}]}]
    (retry,) = messages[2].parts
    assert isinstance(retry, RetryPromptPart)
    assert [(error['loc'], error['msg']) for error in retry.content if isinstance(error, dict)] == [
        ([], "Missing: 'city'"),
        (['days'], 'Input should be at most 14'),
        (['near', 0], "Missing: 'name'"),
    ]


def test_the_model_is_shown_the_schema() -> None:
    definition = tool(strict=True).definition
    assert (definition.name, definition.description, definition.strict) == ('weather', 'The weather.', True)
    assert definition.parameters_json_schema == {key: value for key, value in CITY.items() if key != '$schema'}
    assert tool({}).definition.parameters_json_schema == {'type': 'object', 'properties': {}}
    recursive = {
        '$ref': '#/$defs/node',
        '$defs': {'node': {'properties': {'next': {'$ref': '#/$defs/node'}}, 'type': 'object'}},
    }
    assert tool(recursive).definition.parameters_json_schema['type'] == 'object'
    assert tool(recursive).schema.validate('{"next": {"next": {}}}') == ([{'next': {'next': {}}}], {})


def test_functions_of_every_kind() -> None:
    def with_context(ctx: RunContext[str], args: dict[str, Any]) -> str:
        return f'{ctx.deps}: {args["city"]}'

    async def later(args: dict[str, Any]) -> str:
        await asyncio.sleep(0)
        return str(args['city'])

    def keywords(**args: Any) -> str:
        return str(args['city'])

    def with_both(ctx: RunContext[str], **args: Any) -> str:
        return f'{ctx.deps}: {args["city"]}'

    class Called:
        def __call__(self, args: dict[str, Any], more: int = 0) -> str:
            return str(args['city'])

    for function in (with_context, later, keywords, with_both, Called(), lambda args: args['city']):
        with ModelServer([Reply(tool_calls=ToolCall('weather', '{"city": "Paris"}')), Reply('done')]) as server:
            agent: Agent[str, str] = Agent(chat(server), tools=[tool(function=function)], deps_type=str)
            agent.run_sync('go', deps='deps')
            assert server.requests[1].json['messages'][-1]['content'].endswith('Paris')
    assert tool(function=later, timeout=1, retries=3).retries == 3
    assert tool(function=echo, run_in='thread', timeout=1).run_in == 'thread'


def test_a_dict_of_arguments_is_the_functions_own() -> None:
    known = {'city': 'Paris', 'near': [{'name': 'Lyon'}]}
    (args,), _ = tool().schema.validate(known)
    assert args == known
    args['near'][0]['name'] = 'changed'
    assert known['near'] == [{'name': 'Lyon'}]


def test_arguments_that_are_wrapped_or_broken() -> None:
    wrapped = '{"city": "Paris", "near": "[{\\"name\\": \\"Lyon\\"}]"}'
    assert tool().schema.validate(wrapped) == ([{'city': 'Paris', 'near': [{'name': 'Lyon'}]}], {})
    optional = {'properties': {'tags': {'anyOf': [{'type': 'array'}, {'type': 'null'}]}}}
    assert tool(optional).schema.validate('{"tags": "[1]"}') == ([{'tags': [1]}], {})
    assert tool({}).schema.validate(None) == tool({}).schema.validate(' ') == ([{}], {})
    ((loc, message),) = errors(tool(), '{"city": ')
    assert (loc, message[:12]) == ((), 'Invalid JSON')
    assert errors(tool(), '[1]')[0][0] == ()
    assert errors(tool(), '{"city": "Paris", "days": NaN}') == [(('days',), 'Input should be of the type integer')]


def test_it_travels_between_processes_and_is_not_changed_from_outside() -> None:
    schema: dict[str, Any] = {'properties': {'n': {'type': 'integer'}}}
    original = Tool.from_schema('count', '', schema, echo, retries=2)
    schema['properties']['n']['type'] = 'string'
    copy = pickle.loads(pickle.dumps(original))
    for one in (original, copy):
        assert one.schema.validate('{"n": 1}') == ([{'n': 1}], {})
        assert one.retries == 2
    assert copy.definition == original.definition


# --- mistakes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('schema', 'message'),
    [
        ('{"type": "object"}', 'must be a dict, a JSON schema of an object, not str'),
        (Place, 'not ModelMetaclass: write `.model_json_schema()` behind it'),
        ({'city': {'type': 'string'}}, 'has no keyword of JSON Schema (city): properties stand one level down'),
        ({'name': 'f', 'description': 'd', 'parameters': {}}, 'has no keyword of JSON Schema (name, description'),
        ({'type': 'string'}, "must describe an object, since arguments have names, and its type is 'string'"),
        ({'type': 'objekt'}, "its type is 'objekt'"),
        ({'properties': {'x': {'type': 'strng'}}}, '#/properties/x/type must be one or several of null, boolean'),
        ({'properties': {'x': 'string'}}, '#/properties/x must be a schema'),
        ({'properties': ['x']}, '#/properties must be an object'),
        ({'required': 'x'}, '#/required must be a list of names'),
        ({'properties': {'x': {'enum': []}}}, '#/properties/x/enum must be a list of values'),
        ({'properties': {'x': {'minimum': '1'}}}, '#/properties/x/minimum must be a number'),
        ({'properties': {'x': {'minLength': -1}}}, '#/properties/x/minLength must be an integer'),
        ({'properties': {'x': {'multipleOf': 0}}}, '#/properties/x/multipleOf must be a number above 0'),
        ({'properties': {'x': {'pattern': '['}}}, '#/properties/x/pattern must be a regular expression'),
        ({'patternProperties': {'[': {}}}, '#/patternProperties has a key that must be a regular expression'),
        ({'properties': {'x': {'anyOf': []}}}, '#/properties/x/anyOf must be a list of schemas'),
        ({'properties': {'x': {'uniqueItems': 1}}}, '#/properties/x/uniqueItems must be true or false'),
        ({'properties': {'x': {'contains': {}, 'minContains': '1'}}}, '#/properties/x/minContains must be an integer'),
        ({'properties': {'x': {'$ref': '#/$defs/y'}}}, "refers to '#/$defs/y', which the schema does not hold"),
        ({'properties': {'x': {'$ref': 'https://example.com/s.json'}}}, 'outside of the schema: nothing is fetched'),
        ({'properties': {'x': {'$ref': '#y'}}}, "refers to '#y', which the schema does not hold"),
        ({'properties': {'x': {'$ref': 7}}}, '#/properties/x/$ref must be a text'),
        ({'$defs': {'a': {'$ref': '#/$defs/a'}}, 'properties': {'x': {'$ref': '#/$defs/a'}}}, 'leads back to itself'),
        ({'properties': {'x': {'$dynamicRef': '#y'}}}, 'is not supported here'),
    ],
)  # fmt: skip
def test_a_wrong_schema_is_refused_where_the_tool_is_made(schema: Any, message: str) -> None:
    with pytest.raises(UserError) as caught:
        tool(schema)
    assert message in str(caught.value)
    assert "'weather'" in str(caught.value)


def no_arguments() -> None: ...
def text_argument(city: str) -> None: ...
def two_arguments(city: Any, days: Any) -> None: ...
def keyword_argument(*, city: Any) -> None: ...
def context_alone(ctx: RunContext[None]) -> None: ...


@pytest.mark.parametrize('function', [no_arguments, text_argument, two_arguments, keyword_argument, context_alone])
def test_a_function_that_takes_no_dict_is_refused(function: Any) -> None:
    with pytest.raises(UserError, match=r"The function of tool 'weather' gets its arguments as one dict"):
        tool(function=function)


def test_other_mistakes() -> None:
    with pytest.raises(UserError, match='must be a function'):
        tool(function='echo')
    with pytest.raises(UserError, match='cannot be the name of a tool'):
        Tool.from_schema('my tool', '', {}, echo)
    with pytest.raises(UserError, match='retries of tool'):
        tool(retries=-1)
    with pytest.raises(UserError, match='A timeout cannot stop the sync function'):
        tool(timeout=1)


# --- against another implementation -----------------------------------------------------------------------------------

NUMBERS = st.integers(-3, 3) | st.sampled_from([0.0, 1.0, 1.5, 0.1, 0.3, -2.5])
TEXTS = st.sampled_from(['', 'a', 'b', 'ab', 'aé', '1'])
LEAVES = st.none() | st.booleans() | NUMBERS | TEXTS
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=6
)
TYPES = st.sampled_from(['null', 'boolean', 'integer', 'number', 'string', 'array', 'object'])
SIZES = st.integers(0, 3)
ASSERTED: dict[str, st.SearchStrategy[Any]] = {
    'type': TYPES | st.lists(TYPES, min_size=1, max_size=3, unique=True),
    'enum': st.lists(VALUES, min_size=1, max_size=3),
    'const': VALUES,
    'minimum': NUMBERS,
    'maximum': NUMBERS,
    'exclusiveMinimum': NUMBERS,
    'exclusiveMaximum': NUMBERS,
    'multipleOf': st.sampled_from([1, 2, 0.5]),
    **dict.fromkeys(['minLength', 'maxLength', 'minItems', 'maxItems', 'minProperties', 'maxProperties'], SIZES),
    'pattern': st.sampled_from(['a', '^a', 'b$', '^[ab]*$']),
    'uniqueItems': st.booleans(),
    'required': st.lists(TEXTS, max_size=2, unique=True),
    'dependentRequired': st.dictionaries(TEXTS, st.lists(TEXTS, max_size=2, unique=True), max_size=2),
    'format': st.just('date'),
}


def schemas_of(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    several = st.lists(inner, min_size=1, max_size=2)
    named = st.dictionaries(TEXTS, inner, max_size=2)
    parts: dict[str, st.SearchStrategy[Any]] = {
        **dict.fromkeys(['allOf', 'anyOf', 'oneOf', 'prefixItems'], several),
        **dict.fromkeys(
            ['not', 'if', 'then', 'else', 'items', 'contains', 'propertyNames', 'additionalProperties'], inner
        ),
        **dict.fromkeys(['unevaluatedProperties', 'unevaluatedItems'], inner),
        **dict.fromkeys(['properties', 'dependentSchemas'], named),
        'patternProperties': st.dictionaries(st.sampled_from(['a', 'b$']), inner, max_size=2),
        'minContains': SIZES,
        'maxContains': SIZES,
    }
    keywords = st.fixed_dictionaries({}, optional={**ASSERTED, **parts})
    return keywords.map(lambda schema: dict(list(schema.items())[:4])) | picked(ASSERTED) | picked(parts)


def picked(parts: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    names = st.lists(st.sampled_from(sorted(parts)), min_size=1, max_size=3, unique=True)
    return names.flatmap(lambda chosen: st.fixed_dictionaries({name: parts[name] for name in chosen}))


SCHEMAS: st.SearchStrategy[Any] = st.recursive(st.booleans() | picked(ASSERTED), schemas_of, max_leaves=4)


REFERRING = st.builds(
    lambda root, one, two, reference: {
        **(root if isinstance(root, dict) else {'not': root}),
        '$defs': {'one': one, 'two': two},
        'properties': {'a': {'$ref': reference}},
    },
    SCHEMAS,
    SCHEMAS,
    SCHEMAS,
    st.sampled_from(['#/$defs/one', '#/%24defs/two', '#/$defs/one/not', '#']),
)
OF_DRAFT_7 = {name: values for name, values in ASSERTED.items() if name != 'dependentRequired'}
OLDER = st.fixed_dictionaries(
    {'items': st.lists(picked(OF_DRAFT_7), min_size=1, max_size=2)},
    optional={
        'additionalItems': picked(OF_DRAFT_7),
        'dependencies': st.dictionaries(
            TEXTS, picked(OF_DRAFT_7) | st.lists(TEXTS, max_size=2, unique=True), max_size=2
        ),
    },
)


@pytest.mark.slow
@settings(max_examples=examples(400), deadline=None)
@given(SCHEMAS | REFERRING, st.lists(VALUES, min_size=1, max_size=8))
def test_the_same_values_fit_as_for_jsonschema(schema: Any, values: list[Any]) -> None:
    """By the library that https://json-schema.org lists for Python, of draft 2020-12."""
    reference = Draft202012Validator(schema)
    try:
        check = check_of(schema, 'It')
    except UserError as error:
        assert '#/$defs/one/not' in str(error)  # noqa: PT017 - the one reference that may lead nowhere
        return
    for value in values:
        assert bool(check(value)) != reference.is_valid(value), (value, check(value))


@pytest.mark.slow
@settings(max_examples=examples(200), deadline=None)
@given(OLDER, st.lists(VALUES, min_size=1, max_size=8))
def test_the_same_values_fit_by_an_older_draft(schema: Any, values: list[Any]) -> None:
    check, reference = check_of(schema, 'It'), Draft7Validator(schema)
    for value in values:
        assert bool(check(value)) != reference.is_valid(value), (value, check(value))


def test_a_value_that_is_nested_too_deep_is_a_problem() -> None:
    value: Any = []
    for _ in range(5000):
        value = [value]
    (problem,) = check_of({'items': {'$ref': '#'}}, 'It')(value)
    assert problem.message == 'Input is nested too deep'
