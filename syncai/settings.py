"""Settings of a model call: sampling and limits (`ModelSettings`), and the connection (`HttpOptions`)."""

from __future__ import annotations

import math
import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, TypedDict, cast

from ._base.call_hints import explain_arguments
from ._base.frozen import dataclass
from ._base.lazy import importer
from ._base.other_arguments import OF_HTTP, OF_SETTINGS
from ._providers.names import SETTING_PREFIXES
from .exceptions import UserError

if TYPE_CHECKING:
    import ssl

    from .runs import AskOptions, RunOptions

__all__ = [
    'AskOptions',
    'AsyncTransport',
    'check_settings',
    'ClientCertificate',
    'HttpOptions',
    'merge_settings',
    'ModelSettings',
    'RunOptions',
    'ThinkingLevel',
    'ToolChoice',
]

FilePath: TypeAlias = str | os.PathLike[str]

ClientCertificate: TypeAlias = FilePath | tuple[FilePath, FilePath] | tuple[FilePath, FilePath, str]
"""The path of a file with a certificate and its key; or the paths of both; or these and the key's password."""

ThinkingLevel: TypeAlias = bool | Literal['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max']
"""How much a reasoning model should think; True leaves the amount to the provider, False asks for none."""

ToolChoice: TypeAlias = Literal['none', 'auto', 'required'] | list[str]
"""Whether the model may, must or must not call tools; a list names the tools of which it must call one."""

_THINKING_LEVELS = ('none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max')
_TOOL_CHOICES = ('none', 'auto', 'required')


class AsyncTransport(Protocol):
    """A transport of httpx, or an object with the same method."""

    async def handle_async_request(self, request: Any) -> Any:
        """The `httpx.Response` to an `httpx.Request`; its stream is read by the caller."""


class ModelSettings(TypedDict, total=False):
    """Settings of a model call, all optional; a setting that a provider lacks is dropped with one logged warning.

    Attributes:
        max_tokens: The most tokens to generate.
        temperature: Randomness, 0 to 2 with most providers.
        top_p: Sample from the most likely tokens that make up this probability, 0 to 1.
        top_k: Sample from this many most likely tokens.
        timeout: Deadline of the whole call in seconds: queueing, every attempt and streaming included.
        parallel_tool_calls: Whether one answer may hold several tool calls.
        tool_choice: Whether tools may, must or must not be called, or the names of which one must be. If such a call
            cannot be the result, a run forces it in its first request alone.
        seed: For repeatable sampling, as far as the provider supports it.
        presence_penalty: Penalty for tokens that occurred at all, -2 to 2.
        frequency_penalty: Penalty for tokens by how often they occurred, -2 to 2.
        logit_bias: Token id to bias, -100 to 100.
        stop_sequences: Texts at which generation stops.
        thinking: How much a reasoning model should think.
        extra_headers: Further HTTP headers of the request.
        extra_body: An object whose fields are added to the request's JSON body. Lists are added to those of the
            request, objects go into its objects, and other values replace its own; None takes a field out.
    """

    max_tokens: int
    temperature: float
    top_p: float
    top_k: int
    timeout: float
    parallel_tool_calls: bool
    tool_choice: ToolChoice
    seed: int
    presence_penalty: float
    frequency_penalty: float
    logit_bias: dict[str, int]
    stop_sequences: list[str]
    thinking: ThinkingLevel
    extra_headers: dict[str, str]
    extra_body: object


_MERGED = ('extra_headers', 'extra_body')


def merge_settings(*settings: Mapping[str, Any] | None) -> ModelSettings:
    """All settings in one mapping: later ones win, `extra_headers` and `extra_body` are merged field by field."""
    merged: dict[str, Any] = {}
    for layer in settings:
        if not layer:
            continue
        both = [name for name in _MERGED if name in layer and merged.get(name)]
        merged.update(layer, **{name: {**merged[name], **(layer[name] or {})} for name in both})
    return cast('ModelSettings', merged)


def check_settings(settings: Mapping[str, Any] | None) -> None:
    """Raise UserError unless every setting is known and of the right type.

    Raises:
        UserError: Names the setting that is unknown or has a value of the wrong type.
    """
    if settings is None:
        return
    if not isinstance(settings, Mapping):
        raise UserError(f'model_settings must be a dict such as ModelSettings(...), not {type(settings).__name__}')
    for name, value in settings.items():
        rule = _RULES.get(name)
        if rule is None:
            _check_unknown(name)
        elif not rule[0](value):
            raise UserError(f'Model setting {name!r} must be {rule[1]}{_shown(name, value)}')


def _shown(name: str, value: object) -> str:
    # Headers and bodies may carry a key: at most their type is shown.
    if name.startswith('extra_'):
        return '' if isinstance(value, Mapping) else f', not {type(value).__name__}'
    return f', not {value!r:.100}'


def _check_unknown(name: object) -> None:
    if isinstance(name, str) and name.startswith(SETTING_PREFIXES):
        return
    if (same := OF_SETTINGS.get(str(name))) is not None:
        raise UserError(f'Unknown model setting {name!r}: {same if " " in same else f"it is called {same!r} here"}')
    from difflib import get_close_matches

    near = get_close_matches(str(name), _RULES, n=2)
    hint = f'did you mean {" or ".join(repr(n) for n in near)}?' if near else f'known are {", ".join(_RULES)}'
    raise UserError(f'Unknown model setting {name!r}: {hint}')


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_finite(value: object) -> bool:
    return _is_number(value) and math.isfinite(cast('float', value))


def _is_json_object(value: object) -> bool:
    """Whether a value is a mapping without numbers that JSON does not have."""
    return isinstance(value, Mapping) and all(map(_has_finite_numbers, value.values()))


def _has_finite_numbers(value: object) -> bool:
    if isinstance(value, Mapping):
        return all(map(_has_finite_numbers, value.values()))
    if isinstance(value, list | tuple):
        return all(map(_has_finite_numbers, value))
    return not isinstance(value, float) or math.isfinite(value)


def _is_list_of_str(value: object) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)


def _is_tool_choice(value: object) -> bool:
    return value in _TOOL_CHOICES if isinstance(value, str) else bool(value) and _is_list_of_str(value)


def is_header_dict(value: object) -> bool:
    """Whether a value is a mapping of names to values that can be sent as HTTP headers."""
    return isinstance(value, Mapping) and all(
        isinstance(k, str) and _HEADER_NAME.fullmatch(k) and is_header_value(v) for k, v in value.items()
    )


def is_header_value(value: object) -> bool:
    """Whether a value can be sent in an HTTP header: printable ASCII, without line breaks."""
    return isinstance(value, str) and value.isascii() and value.replace('\t', ' ').isprintable()


def _is_bias(value: object) -> bool:
    return isinstance(value, Mapping) and all(isinstance(k, str) and _is_finite(v) for k, v in value.items())


_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NUMBER = (_is_finite, 'a number')
_INTEGER = (_is_int, 'an integer')
_RULES: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    'max_tokens': (lambda v: _is_int(v) and v > 0, 'an integer above 0'),
    'temperature': _NUMBER,
    'top_p': _NUMBER,
    'top_k': _INTEGER,
    'timeout': (lambda v: v is None or (_is_number(v) and v > 0), 'a number of seconds above 0'),
    'parallel_tool_calls': (lambda v: isinstance(v, bool), 'True or False'),
    'tool_choice': (_is_tool_choice, "'none', 'auto', 'required' or a list of names of tools"),
    'seed': _INTEGER,
    'presence_penalty': _NUMBER,
    'frequency_penalty': _NUMBER,
    'logit_bias': (_is_bias, 'a dict of token id (str) to bias (int)'),
    'stop_sequences': (_is_list_of_str, 'a list of str'),
    'thinking': (
        lambda v: isinstance(v, bool) or (isinstance(v, str) and v in _THINKING_LEVELS),
        f'True, False or one of {", ".join(map(repr, _THINKING_LEVELS))}',
    ),
    'extra_headers': (is_header_dict, 'a dict of header names to values, both printable ASCII without line breaks'),
    'extra_body': (lambda v: v is None or _is_json_object(v), 'a dict of JSON values, whose numbers are finite'),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class HttpOptions:
    """Options of connections, with time limits; models with equal options share connections.

    Args:
        connect_timeout: Seconds to connect, TLS included.
        first_event_timeout: Seconds from the request to the first bytes of the answer's body.
        idle_timeout: Seconds between two reads of a stream.
        reader_timeout: Seconds that the reader of a stream may pause while events are ready, before the stream ends
            with a `ReaderTimeout`; None for no limit.
        max_retries: Further attempts after the first, before anything of the answer arrived.
        max_retry_wait: The longest wait in seconds that a provider may ask for; a longer one raises at once.
        max_connections: Requests under way at a time; more of them wait.
        keepalive_expiry: Seconds that an idle connection is kept.
        proxy: Address of a proxy; None takes `HTTPS_PROXY` and its siblings from the environment.
        verify: Whether to check certificates, or the path of a CA bundle, or an `ssl.SSLContext` with what to trust.
        cert: The certificate of the client, for servers that ask for one: the path of a file with it and its key, or
            the paths of both, and the password of the key if it has one.
        transport: Sends the requests in place of our connections, such as `httpx.AsyncHTTPTransport` or
            `httpx.MockTransport`; it brings its own proxy and certificates. Used on the loop thread.
        max_body_bytes: The largest answer taken.
        max_event_bytes: The largest event of a stream taken.
        max_download_bytes: The largest file fetched for a provider that cannot fetch it from its address.
        allow_private_downloads: Whether such files may come from private, loopback and link-local addresses.

    Raises:
        UserError: A time or a size is not above zero, or an option has the wrong type or does not go with another.
    """

    connect_timeout: float = 10.0
    first_event_timeout: float = 600.0
    idle_timeout: float = 120.0
    reader_timeout: float | None = None
    max_retries: int = 2
    max_retry_wait: float = 60.0
    max_connections: int = 1000
    keepalive_expiry: float = 30.0
    proxy: str | None = field(default=None, repr=False)  # it may hold a password
    verify: bool | str | os.PathLike[str] | ssl.SSLContext = True
    cert: ClientCertificate | None = field(default=None, repr=False)  # it may hold a password
    transport: AsyncTransport | None = None
    max_body_bytes: int = 64 * 1024 * 1024
    max_event_bytes: int = 32 * 1024 * 1024
    max_download_bytes: int = 32 * 1024 * 1024
    allow_private_downloads: bool = False

    def __post_init__(self) -> None:
        for name, (rule, description) in _OPTION_RULES.items():
            value = getattr(self, name)
            if not rule(value):
                # The address of a proxy may hold a password: only its type is shown.
                actual = type(value).__name__ if name in ('proxy', 'cert') else repr(value)
                raise UserError(f'HttpOptions.{name} must be {description}, not {actual}')
        if self.transport is not None and (self.proxy, self.verify, self.cert) != (None, True, None):
            raise UserError('HttpOptions.transport has a proxy and certificates of its own: give them to the transport')


def _is_trust(value: object) -> bool:
    ssl = sys.modules.get('ssl')  # not imported here: only a program that imported it can have a context
    return isinstance(value, bool | str | os.PathLike) or (ssl is not None and isinstance(value, ssl.SSLContext))


def _is_certificate(value: object) -> bool:
    if not isinstance(value, tuple):
        return value is None or isinstance(value, str | os.PathLike)
    paths, password = value[:2], value[2:]
    return (
        len(paths) == 2
        and len(password) < 2
        and all(
            [*(isinstance(path, str | os.PathLike) for path in paths), *(isinstance(word, str) for word in password)]
        )
    )


def _is_transport(value: object) -> bool:
    return value is None or hasattr(value, 'handle_async_request')


_ABOVE_ZERO = (lambda v: _is_number(v) and v > 0, 'a number above 0')
_NOT_BELOW_ZERO = (lambda v: _is_number(v) and v >= 0, 'a number, 0 or above')
_SIZE = (lambda v: _is_int(v) and v > 0, 'an integer above 0')
_OPTION_RULES: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    'connect_timeout': _ABOVE_ZERO,
    'first_event_timeout': _ABOVE_ZERO,
    'idle_timeout': _ABOVE_ZERO,
    'reader_timeout': (lambda v: v is None or (_is_number(v) and v > 0), 'None or a number above 0'),
    'max_retries': (lambda v: _is_int(v) and v >= 0, 'an integer, 0 or above'),
    'max_retry_wait': _NOT_BELOW_ZERO,
    'max_connections': _SIZE,
    'keepalive_expiry': _NOT_BELOW_ZERO,
    'proxy': (lambda v: v is None or isinstance(v, str), 'None or an address like http://host:port'),
    'verify': (_is_trust, 'True, False, the path of a CA bundle or an ssl.SSLContext'),
    'cert': (_is_certificate, "None, 'file.pem', ('cert.pem', 'key.pem') or ('cert.pem', 'key.pem', 'password')"),
    'transport': (_is_transport, 'None or an asynchronous transport, as httpx.AsyncHTTPTransport() is'),
    'max_body_bytes': _SIZE,
    'max_event_bytes': _SIZE,
    'max_download_bytes': _SIZE,
    'allow_private_downloads': (lambda v: isinstance(v, bool), 'True or False'),
}

explain_arguments(HttpOptions, OF_HTTP)

# Options of runs were defined here before; the import path still works.
if not TYPE_CHECKING:
    __getattr__ = importer(__name__, dict.fromkeys(('AskOptions', 'RunOptions'), '.runs'))
