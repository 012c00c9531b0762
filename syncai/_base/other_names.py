"""Names of other libraries that people try, and the names of the same things here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar


class OtherNames:
    """A class whose `AttributeError` gives the right name for a wrong one in its table. Type checkers do not see this
    class, and so report such code themselves.
    """

    __slots__ = ()

    _other_names: ClassVar[Mapping[str, str]] = {}

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            kind = type(self)
            if (meant := kind._other_names.get(name)) is not None:
                raise AttributeError(f'{kind.__name__} has no {name!r}: {meant}')
            # With the object, so that Python names the nearest of its attributes.
            raise AttributeError(f'{kind.__name__!r} object has no attribute {name!r}', name=name, obj=self)


OF_RESPONSES: Mapping[str, str] = {
    **dict.fromkeys(
        ('answer', 'choices', 'content', 'data', 'message', 'output', 'output_text'),
        'its text is `.text`, and all of it `.parts`',
    ),
    'tool_calls': 'its calls are those of its `.parts` that are a `ToolCallPart`',
}
OF_RESULTS: Mapping[str, str] = {
    **dict.fromkeys(
        ('answer', 'choices', 'content', 'message', 'output', 'output_text', 'parsed', 'result', 'text', 'value'),
        'the result is `.data`, and the last answer of the model `.response`',
    ),
    **dict.fromkeys(
        ('completion', 'final', 'final_output', 'get_data', 'get_output', 'raw', 'reply'),
        'the result is `.data`, and the last answer of the model `.response`',
    ),
    **dict.fromkeys(
        ('dict', 'json', 'model_dump', 'model_dump_json', 'to_dict', 'to_json'),
        'the result is `.data`, and the conversation as JSON `.all_messages_json()`',
    ),
    **dict.fromkeys(
        ('calls', 'steps', 'tool_calls', 'tool_results'), 'calls and their returns are parts of `.all_messages()`'
    ),
    'finish_reason': 'why the model stopped is `.response.finish_reason`',
    **dict.fromkeys(('history', 'messages'), 'the conversation is `.all_messages()`'),
    **dict.fromkeys(
        ('input_tokens', 'output_tokens', 'request_tokens', 'response_tokens', 'tokens', 'total_tokens'),
        'what was used is `.usage()`, such as `.usage().total_tokens`',
    ),
    'model_name': 'the model that answered is `.response.model_name`',
}
OF_ROWS: Mapping[str, str] = {
    **OF_RESULTS,
    **dict.fromkeys(('failed', 'failure', 'exception', 'success', 'ok'), 'why the run failed is `.error`, or None'),
    **dict.fromkeys(('input', 'question', 'user_prompt'), 'what was asked is `.prompt`'),
    **dict.fromkeys(('id', 'index', 'number'), 'rows come in the order of the prompts; `key=` gives them a `.key`'),
}
OF_EVENTS: Mapping[str, str] = {
    **dict.fromkeys(('data', 'output', 'text'), 'read the events to their end, and then `.result.data`'),
    **dict.fromkeys(('stream_text', 'text_stream'), 'the text is in its events; alone it is that of `run_stream_sync`'),
    **dict.fromkeys(('events', 'stream'), 'write `for event in ...` with the stream itself'),
    **dict.fromkeys(('history', 'messages'), 'the conversation is `.all_messages()`'),
}
OF_STREAMS: Mapping[str, str] = {
    **dict.fromkeys(
        ('chunks', 'content', 'deltas', 'text', 'text_stream', 'texts'),
        'the text as it arrives is `.stream_text()`, or in pieces `.stream_text(delta=True)`',
    ),
    **dict.fromkeys(
        ('answer', 'data', 'get', 'get_output', 'output', 'result', 'value'),
        'the data as it arrives is `.stream()`, and the whole result `.get_data()`',
    ),
    **dict.fromkeys(
        (
            'final',
            'final_output',
            'get_final_message',
            'get_final_response',
            'get_final_text',
            'get_text',
            'until_done',
        ),
        'the whole result, waited for, is `.get_data()`',
    ),
    **dict.fromkeys(('stream_data', 'stream_output'), 'the data as it arrives is `.stream()`'),
    **dict.fromkeys(('history', 'messages'), 'the conversation is `.all_messages()`'),
}
OF_USAGE: Mapping[str, str] = {
    'completion_tokens': 'the tokens of the answer are `.response_tokens`',
    'prompt_tokens': 'the tokens of the prompt are `.request_tokens`',
    'tokens': 'the tokens of prompt and answer are `.total_tokens`',
}
OF_COSTS: Mapping[str, str] = {
    **OF_USAGE,
    'input_tokens': 'the tokens of the prompts are `.request_tokens`',
    'output_tokens': 'the tokens of the answers are `.response_tokens`',
}
OF_DIRECT_STREAMS: Mapping[str, str] = dict.fromkeys(
    ('content', 'data', 'output', 'response', 'result', 'stream_text', 'text', 'text_stream'),
    'its events come with `for event in ...`, and what has arrived is `.get()`, whose text is `.get().text`',
)
OF_FUTURES: Mapping[str, str] = dict.fromkeys(
    ('content', 'data', 'output', 'text', 'usage', 'value'),
    'the call may not be over: wait for it with `.result()`, such as `.result().data`',
)
OF_SERVERS: Mapping[str, str] = {
    **dict.fromkeys(('address', 'api_base', 'endpoint', 'uri', 'url'), 'its address is `.base_url`'),
    **dict.fromkeys(('calls', 'history', 'received'), 'what it was asked is `.requests`'),
    **dict.fromkeys(
        ('add', 'enqueue', 'queue', 'respond', 'responses', 'script', 'set_response'),
        "give replies to ModelServer([...]), or more of them by `.reply(Reply('...'))`",
    ),
}

_RUN = 'a run is `agent.run_sync(prompt)`'
_STREAM = 'a stream is `with agent.run_stream_sync(prompt) as stream`'
_MANY = 'many runs are `agent.map_sync(prompts)`'
_TOOL = 'a tool is registered with `@agent.tool` or `@agent.tool_plain`, or given as Agent(..., tools=[...])'
_VALIDATOR = 'a check of the result is registered with `@agent.result_validator`'
_HISTORY = 'an agent keeps no conversation: give `message_history=result.all_messages()` to the next run'

OF_AGENTS: Mapping[str, str] = {
    **dict.fromkeys(('ask', 'call', 'chat', 'complete', 'completion', 'create', 'execute', 'generate'), _RUN),
    **dict.fromkeys(('invoke', 'kickoff', 'predict', 'prompt', 'query', 'send'), _RUN),
    **dict.fromkeys(('achat', 'ainvoke', 'arun', 'run_async'), 'a run is `await agent.run(prompt)`'),
    **dict.fromkeys(('astream', 'chat_stream', 'iter', 'run_streamed', 'stream', 'stream_sync'), _STREAM),
    **dict.fromkeys(('abatch', 'map', 'run_many'), _MANY),
    **dict.fromkeys(('add_function', 'add_tool', 'function', 'register_tool', 'tools'), _TOOL),
    **dict.fromkeys(('output_validator', 'validator'), _VALIDATOR),
    **dict.fromkeys(
        ('result', 'deps', 'model_name', 'output_type', 'temperature', 'timeout'),
        'it is an argument, of the agent or of a run; the model is `.model`, and its settings `.model_settings`',
    ),
    **dict.fromkeys(
        ('chat_loop', 'cli', 'to_cli', 'to_cli_sync'), 'a chat in the terminal is `syncai chat MODULE:AGENT`'
    ),
    **dict.fromkeys(('to_a2a', 'to_ag_ui', 'to_web'), 'a page is `syncai.web.chat_app(agent)`'),
    **dict.fromkeys(('aclose', 'close', 'shutdown'), 'an agent holds nothing open, and need not be closed'),
    **dict.fromkeys(('clear', 'history', 'memory', 'messages', 'reset'), _HISTORY),
}

_AT_ITS_MAKING = 'write Agent(..., {0}=...), or give {0}=... to a run'
_OF_A_RUN = 'give {0}=... to a run: agent.run_sync(prompt, {0}=...)'
_SETTING = "write agent.model_settings = {{'{0}': ...}}, or give that to a run"

NEVER_ASSIGNED: Mapping[str, str] = {
    name: remedy.format(name)
    for remedy, names in (
        (_AT_ITS_MAKING, ('instructions', 'result_type', 'tools', 'usage_limits')),
        ('write Agent(..., {0}=...)', ('result_retries', 'retries', 'system_prompt')),
        (_OF_A_RUN, ('deps', 'message_history', 'timeout')),
        (_SETTING, ('max_tokens', 'seed', 'temperature', 'top_p')),
        ("it belongs to the model: agent.model = OpenAIChatModel('...', {0}=...)", ('api_key', 'base_url')),
        (_HISTORY, ('history', 'messages')),
    )
    for name in names
}
"""Names that mean something of an agent, and that nothing would read where they are assigned."""

OF_CONVERSATIONS: Mapping[str, str] = {
    name: remedy.replace('agent.', 'conversation.')
    for name, remedy in OF_AGENTS.items()
    if remedy in (_RUN, _STREAM) or name in ('achat', 'ainvoke', 'arun', 'run_async')
}
