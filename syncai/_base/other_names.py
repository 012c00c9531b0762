"""Names of other libraries that people try, and the names of the same things here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from .missing_names import ANY, for_item, for_name


class OtherNames:
    """A class whose `AttributeError` gives the right name for a wrong one, from its table or from what it has. Type
    checkers do not see this class, and so report such code themselves.
    """

    __slots__ = ()

    _other_names: ClassVar[Mapping[str, str]] = {}
    _value_name: ClassVar[str] = ''
    """The attribute with the value whose own attributes people look for here, such as the `data` of a result."""

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            kind = type(self).__name__
            if name[:1] == '_':  # what Python and other libraries look for
                raise AttributeError(f'{kind!r} object has no attribute {name!r}', name=name, obj=self)
            raise AttributeError(f'{kind} has no {name!r}: {for_name(self, name)}')

        def __getitem__(self, key: object) -> Any:
            raise for_item(self, key)


_TIME = 'when the answer began is {}; how long it took is in traces'

OF_RESPONSES: Mapping[str, str] = {
    **dict.fromkeys(
        ('answer', 'choices', 'content', 'data', 'message', 'output', 'output_text'),
        'its text is `.text`, and all of it `.parts`',
    ),
    **dict.fromkeys(
        ('candidates', 'completion', 'reply', 'result', 'role'), 'its text is `.text`, and all of it `.parts`'
    ),
    **dict.fromkeys(('audio', 'citations', 'files', 'images', 'sources'), 'all that the model gave is in `.parts`'),
    **dict.fromkeys(
        ('dict', 'json', 'model_dump', 'model_dump_json'), 'its JSON is ModelMessagesTypeAdapter.dump_json([response])'
    ),
    **dict.fromkeys(('cost', 'dollars'), 'what it cost is `.price`'),
    **dict.fromkeys(('created', 'created_at', 'duration', 'elapsed', 'latency'), _TIME.format('`.timestamp`')),
    **dict.fromkeys(('id', 'request_id', 'response_id', 'vendor_id'), "the provider's id is `.provider_response_id`"),
    **dict.fromkeys(('reasoning', 'reasoning_content', 'thoughts'), 'the thoughts of the model are `.thinking`'),
    **dict.fromkeys(('headers', 'metadata', 'raw', 'vendor_details'), 'what else came is `.provider_details`'),
    'delta': 'a response is whole: pieces come from model_request_stream_sync(...) and agent.run_stream_sync(...)',
    'model': 'the model that answered is `.model_name`',
    'stop_reason': 'why the model stopped is `.finish_reason`',
    'tokens': 'what was used is `.usage`, such as `.usage.total_tokens`',
}
OF_RESULTS: Mapping[str, str] = {
    **dict.fromkeys(
        ('answer', 'choices', 'content', 'message', 'output', 'output_text', 'parsed', 'result', 'text', 'value'),
        'the result is `.data`, and the last answer of the model `.response`',
    ),
    **dict.fromkeys(
        ('candidates', 'completion', 'final', 'final_output', 'get_data', 'get_output', 'raw', 'reply'),
        'the result is `.data`, and the last answer of the model `.response`',
    ),
    **dict.fromkeys(
        ('dict', 'json', 'model_dump', 'model_dump_json', 'to_dict', 'to_json'),
        'the result is `.data`, and the conversation as JSON `.all_messages_json()`',
    ),
    **dict.fromkeys(
        ('calls', 'steps', 'tool_calls', 'tool_results'), 'calls and their returns are parts of `.all_messages()`'
    ),
    **dict.fromkeys(('finish_reason', 'stop_reason'), 'why the model stopped is `.response.finish_reason`'),
    **dict.fromkeys(
        ('history', 'messages', 'prompt', 'question', 'to_input_list'), 'the conversation is `.all_messages()`'
    ),
    'messages_json': 'the conversation as JSON is `.all_messages_json()`',
    **dict.fromkeys(('last_message', 'last_response'), 'the last answer of the model is `.response`'),
    **dict.fromkeys(
        ('input_tokens', 'output_tokens', 'request_tokens', 'response_tokens', 'tokens', 'total_tokens'),
        'what was used is `.usage()`, such as `.usage().total_tokens`',
    ),
    **dict.fromkeys(('dollars', 'total_cost', 'usd'), 'what the run cost is `.price`, in US dollars'),
    **dict.fromkeys(('created', 'created_at', 'duration', 'elapsed', 'latency'), _TIME.format('`.timestamp()`')),
    **dict.fromkeys(('reasoning', 'thinking', 'thoughts'), 'the thoughts of the model are `.response.thinking`'),
    **dict.fromkeys(('model', 'model_name', 'provider'), 'the model that answered is `.response.model_name`'),
    **dict.fromkeys(('metadata', 'request_id'), 'what the provider added is in `.response`, such as its id'),
    **dict.fromkeys(
        ('error', 'exception', 'is_error', 'ok', 'status', 'success'),
        'a run that fails raises its error, and has no result',
    ),
    **dict.fromkeys(
        ('stream', 'stream_text'), 'the run is over: a stream is `with agent.run_stream_sync(prompt) as stream`'
    ),
    **dict.fromkeys(('next', 'run'), 'to go on: agent.run_sync(prompt, message_history=result.all_messages())'),
}
OF_ROWS: Mapping[str, str] = {
    **{name: remedy for name, remedy in OF_RESULTS.items() if name not in ('error', 'prompt')},
    **dict.fromkeys(
        ('exception', 'failed', 'failure', 'is_error', 'is_ok', 'ok', 'status', 'success'),
        'why the run failed is `.error`, or None',
    ),
    **dict.fromkeys(('get', 'unwrap'), 'the result is `.data`, which raises the error of a failed run'),
    **dict.fromkeys(('input', 'question', 'user_prompt'), 'what was asked is `.prompt`'),
    **dict.fromkeys(('id', 'index', 'number'), 'rows come in the order of the prompts; `key=` gives them a `.key`'),
}
OF_EVENTS: Mapping[str, str] = {
    **dict.fromkeys(('data', 'get_data', 'output', 'text'), 'read the events to their end, and then `.result.data`'),
    **dict.fromkeys(('stream_text', 'text_stream'), 'the text is in its events; alone it is that of `run_stream_sync`'),
    **dict.fromkeys(('events', 'stream'), 'write `for event in ...` with the stream itself'),
    **dict.fromkeys(('history', 'messages'), 'the conversation is `.all_messages()`'),
    **dict.fromkeys(('abort', 'cancel', 'stop'), 'leaving the `with` block stops the run, as `.close()` does'),
}
OF_STREAMS: Mapping[str, str] = {
    **dict.fromkeys(
        ('chunks', 'content', 'deltas', 'text', 'text_stream', 'texts', 'tokens'),
        'the text as it arrives is `.stream_text()`, or in pieces `.stream_text(delta=True)`',
    ),
    **dict.fromkeys(
        ('answer', 'data', 'get', 'get_output', 'output', 'result', 'value'),
        'the data as it arrives is `.stream()`, and the whole result `.get_data()`',
    ),
    **dict.fromkeys(
        ('collect', 'final', 'final_output', 'get_final_message', 'get_final_response', 'get_final_text', 'get_text'),
        'the whole result, waited for, is `.get_data()`',
    ),
    **dict.fromkeys(('join', 'print', 'read', 'until_done', 'wait'), 'the whole result, waited for, is `.get_data()`'),
    **dict.fromkeys(('partial', 'stream_data', 'stream_output'), 'the data as it arrives is `.stream()`'),
    **dict.fromkeys(('events', 'on', 'tool_calls'), 'all events, calls too, are agent.run_stream_events_sync(...)'),
    **dict.fromkeys(('responses', 'stream_responses'), 'the answers as they arrive are `.stream_structured()`'),
    **dict.fromkeys(('closed', 'done', 'finished'), 'whether it has ended is `.is_complete`'),
    **dict.fromkeys(('error', 'status'), 'a stream that fails raises its error where it is read'),
    **dict.fromkeys(('abort', 'cancel', 'stop'), 'leaving the `with` block stops the run, as `.close()` does'),
    **dict.fromkeys(('history', 'messages'), 'the conversation is `.all_messages()`'),
}
_DETAILS = 'further counts are in `.details`, a dict or None'
_DICT = 'as a dict it is `dataclasses.asdict(usage)`'
OF_USAGE: Mapping[str, str] = {
    'completion_tokens': 'the tokens of the answer are `.response_tokens`',
    'prompt_tokens': 'the tokens of the prompt are `.request_tokens`',
    **dict.fromkeys(('tokens', 'total'), 'the tokens of prompt and answer are `.total_tokens`'),
    **dict.fromkeys(
        ('audio', 'cache', 'cached', 'prompt_tokens_details', 'reasoning', 'thinking', 'thoughts'), _DETAILS
    ),
    **dict.fromkeys(('cache_read_tokens', 'cache_write_tokens', 'cached_tokens', 'reasoning_tokens'), _DETAILS),
    **dict.fromkeys(('cache_creation_input_tokens', 'cache_read_input_tokens'), _DETAILS),
    **dict.fromkeys(('cost', 'dollars', 'total_cost', 'usd'), 'what it cost is `.price`, in US dollars'),
    **dict.fromkeys(('dict', 'json', 'model_dump', 'to_dict'), _DICT),
}
OF_COSTS: Mapping[str, str] = {
    **OF_USAGE,
    **dict.fromkeys(
        ('cost', 'dollars', 'price', 'total_cost', 'usd'), 'it counts tokens: dollars are `.price` of the result'
    ),
    'input_tokens': 'the tokens of the prompts are `.request_tokens`',
    'output_tokens': 'the tokens of the answers are `.response_tokens`',
}
OF_LIMITS: Mapping[str, str] = {
    **dict.fromkeys(('requests', 'max_requests', 'steps', 'turns'), 'the most requests of a run are `.request_limit`'),
    **dict.fromkeys(('max_tokens', 'tokens'), 'the most tokens of a run are `.total_tokens_limit`'),
    **dict.fromkeys(('cost', 'dollars', 'price'), 'the most dollars of a run are `.price_limit`'),
}
OF_CONTEXTS: Mapping[str, str] = {
    **dict.fromkeys(
        ('context', 'db', 'dependencies', 'session', 'state', 'user', 'vars'), 'what the run was given is `.deps`'
    ),
    **dict.fromkeys(('all_messages', 'history', 'message_history'), 'the conversation so far is `.messages`'),
    **dict.fromkeys(('args', 'arguments', 'tool_args'), 'the arguments of a call are those of the function itself'),
    **dict.fromkeys(('attempt', 'retries'), 'how often it has failed in a row is `.retry`'),
    **dict.fromkeys(('step', 'turn'), 'how many requests were made is `.run_step`'),
    **dict.fromkeys(('input', 'question', 'user_prompt'), "the user's prompt is `.prompt`"),
    **dict.fromkeys(('call_id', 'run_id', 'id'), 'the id of the call is `.tool_call_id`'),
}
OF_ERRORS: Mapping[str, str] = {
    **dict.fromkeys(('args_', 'detail', 'msg', 'reason', 'text'), 'its text is `.message`, and so is str(error)'),
    **dict.fromkeys(
        ('status_code', 'body', 'code', 'http_status', 'response', 'status'),
        'only a ModelHTTPError has a `.status_code` and a `.body`',
    ),
    **dict.fromkeys(('data', 'partial_output', 'output'), 'what had arrived is the `.partial` of an AgentRunError'),
    **dict.fromkeys(('history', 'all_messages'), 'the conversation is the `.messages` of an AgentRunError'),
}
OF_HTTP_ERRORS: Mapping[str, str] = {
    **OF_ERRORS,
    **dict.fromkeys(('code', 'http_status', 'status'), 'the status is `.status_code`'),
    **dict.fromkeys(('content', 'json', 'response', 'text'), "the provider's answer is `.body`, its text `.message`"),
    **dict.fromkeys(('request', 'url'), 'where it was sent is `.endpoint`'),
}
OF_DIRECT_STREAMS: Mapping[str, str] = dict.fromkeys(
    ('content', 'data', 'output', 'response', 'result', 'stream_text', 'text', 'text_stream'),
    'its events come with `for event in ...`, and what has arrived is `.get()`, whose text is `.get().text`',
)
OF_FUTURES: Mapping[str, str] = dict.fromkeys(
    ('content', 'data', 'get', 'join', 'output', 'run', 'text', 'usage', 'value', 'wait'),
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

_ARGUMENT = 'it is an argument, of the agent or of a run; the model is `.model`, and its settings `.model_settings`'
_OF_RESULT = 'it is that of a result: result = agent.run_sync(prompt), then `result.all_messages()` or `result.usage()`'
_CONVERSATION = "a conversation that is kept is `agent.conversation('id')`"
_EVENTS = 'all events of a run are `with agent.run_stream_events_sync(prompt) as events`'

OF_AGENTS: Mapping[str, str] = {
    **dict.fromkeys(('ask', 'call', 'chat', 'complete', 'completion', 'create', 'execute', 'generate'), _RUN),
    **dict.fromkeys(('answer', 'completions', 'forward', 'invoke', 'kickoff', 'models', 'predict', 'prompt'), _RUN),
    **dict.fromkeys(('query', 'respond', 'responses', 'response', 'send', 'start'), _RUN),
    **dict.fromkeys(('achat', 'ainvoke', 'arun', 'run_async'), 'a run is `await agent.run(prompt)`'),
    **dict.fromkeys(
        ('astream', 'chat_stream', 'iter', 'run_streamed', 'stream', 'stream_sync', 'stream_text'), _STREAM
    ),
    'run_stream_text': _STREAM,
    **dict.fromkeys(('callbacks', 'events', 'on_event', 'stream_events'), _EVENTS),
    **dict.fromkeys(('abatch', 'gather', 'many', 'parallel', 'run_many'), _MANY),
    **dict.fromkeys(('add_function', 'add_tool', 'bind_tools', 'function', 'register', 'tools', 'toolset'), _TOOL),
    **dict.fromkeys(('output_validator', 'validator'), _VALIDATOR),
    **dict.fromkeys(
        ('deps', 'model_name', 'output', 'output_type', 'result', 'result_type', 'settings', 'temperature', 'timeout'),
        _ARGUMENT,
    ),
    **dict.fromkeys(('config', 'structured', 'with_structured_output'), _ARGUMENT),
    **dict.fromkeys(('last_response', 'last_run_messages', 'usage', 'cost', 'price'), _OF_RESULT),
    **dict.fromkeys(('set_system_prompt', 'system'), 'write Agent(..., system_prompt=...), or @agent.system_prompt'),
    **dict.fromkeys(
        ('chat_loop', 'cli', 'to_cli', 'to_cli_sync'), 'a chat in the terminal is `syncai chat --agent MODULE:AGENT`'
    ),
    **dict.fromkeys(('to_a2a', 'to_ag_ui', 'to_web'), 'a page is `syncai.web.chat_app(agent)`'),
    **dict.fromkeys(
        ('as_tool', 'handoff', 'to_tool'), 'a tool may run an agent: write a function that calls agent.run_sync(prompt)'
    ),
    **dict.fromkeys(('copy', 'clone', 'fork'), 'write copy.copy(agent)'),
    **dict.fromkeys(
        ('retry', 'with_retry'), 'write Agent(..., retries=...), or for requests http=HttpOptions(max_retries=...)'
    ),
    **dict.fromkeys(('aclose', 'close', 'shutdown'), 'an agent holds nothing open, and need not be closed'),
    **dict.fromkeys(('session', 'start_chat', 'thread', 'new_session'), _CONVERSATION),
    **dict.fromkeys(('add_message', 'clear', 'history', 'memory', 'messages', 'reset'), _HISTORY),
    **dict.fromkeys(('dump', 'load', 'save'), _HISTORY),
    ANY: f'{_RUN}, {_STREAM}, {_MANY}; dir(agent) lists the rest',
}

_AT_ITS_MAKING = 'write Agent(..., {0}=...), or give {0}=... to a run'
_OF_A_RUN = 'give {0}=... to a run: agent.run_sync(prompt, {0}=...)'
_SETTING = "write agent.model_settings = {{'{0}': ...}}, or give that to a run"

NEVER_ASSIGNED: Mapping[str, str] = {
    name: remedy.format(name)
    for remedy, names in (
        (_AT_ITS_MAKING, ('instructions', 'result_type', 'tools', 'usage_limits')),
        ('it is called result_type here: write Agent(..., result_type=...)', ('output_type', 'response_model')),
        ('write Agent(..., {0}=...)', ('result_retries', 'retries', 'system_prompt')),
        (_OF_A_RUN, ('deps', 'message_history', 'timeout')),
        (_SETTING, ('max_tokens', 'seed', 'temperature', 'top_p')),
        ("it belongs to the model: agent.model = OpenAIChatModel('...', {0}=...)", ('api_key', 'base_url')),
        (_HISTORY, ('history', 'messages')),
    )
    for name in names
}
"""Names that have no effect if they are assigned to an agent, and the remedy for each."""

OF_CONVERSATIONS: Mapping[str, str] = {
    name: remedy.replace('agent.', 'conversation.')
    for name, remedy in OF_AGENTS.items()
    if remedy in (_RUN, _STREAM, _EVENTS) or name in ('achat', 'ainvoke', 'arun', 'run_async')
}
