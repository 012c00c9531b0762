"""A request to a model in its canonical form: everything that may change the answer, and nothing else."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

from .._providers.names import SETTING_PREFIXES
from ..content import BinaryContent
from ..exceptions import UserError
from ..messages import ModelMessage
from ..parameters import ModelRequestParameters, ResultSchema, ToolDefinition
from .keys import canonical_bytes
from .messages import Canonical
from .places import KeyPlace
from .values import Json, Rewrite

TRANSPORT_SETTINGS = frozenset({'timeout', 'extra_headers'})
"""Settings of the connection, which do not change the answer."""

SILENT_SETTINGS = frozenset(
    {
        'user',
        'safety_identifier',
        'metadata',
        'request_metadata',
        'labels',
        'prompt_cache_key',
        'prompt_cache_options',
        'cache',
    }
)
"""Settings that the model does not see: with the prefix of any provider, and as fields of `extra_body`."""


_KEYS = re.compile(r'api_?key|password|secret|authorization|credential|access_?token|auth_?token')
_SILENT = {prefix + name for prefix in SETTING_PREFIXES for name in SILENT_SETTINGS}


@dataclass(frozen=True)
class CanonicalRequest:
    """The canonical form of a request.

    Attributes:
        form: What JSON can hold: an object of `model`, `messages`, `settings` and `parameters`.
    """

    form: dict[str, Any]

    @cached_property
    def data(self) -> bytes:
        """The canonical bytes."""
        return canonical_bytes(self.form, of='request')

    @cached_property
    def key(self) -> str:
        """Their SHA-256, in hexadecimal."""
        return hashlib.sha256(self.data).hexdigest()


def canonical_request(
    provider: str,
    model_name: str,
    messages: Sequence[ModelMessage],
    settings: Mapping[str, Any] | None = None,
    parameters: ModelRequestParameters | None = None,
    *,
    rewrite: Rewrite | None = None,
    files: dict[str, BinaryContent] | None = None,
) -> CanonicalRequest:
    """The canonical form of a request.

    Args:
        provider: The name of the model's provider: `Model.system`.
        model_name: The model's name, without its provider.
        messages: The conversation, as it is sent.
        settings: All that are in force: those of the model and those of the call, merged.
        parameters: The tools, and the form of the answer.
        rewrite: Takes each text of the messages, tools and settings, and returns the part that counts, such as the text
            without a date.
        files: Takes each file in the messages under its hash.

    Raises:
        UserError: It holds a value of which no stable key can be made; the message says where.
    """
    canonical = Canonical(rewrite, files)
    try:
        form = {
            'model': {'provider': provider, 'name': model_name},
            'messages': [canonical.message(m, KeyPlace('messages').at(i)) for i, m in enumerate(messages)],
            'settings': _settings(canonical, settings or {}),
            'parameters': _parameters(canonical, parameters or ModelRequestParameters()),
        }
    except RecursionError:
        raise UserError('The request holds a value that is nested too deep, or holds itself') from None
    return CanonicalRequest(form)


def canonical_settings(settings: Mapping[str, Any] | None) -> dict[str, Json]:
    """The settings that may change an answer; a setting that is None is not there, and 1.0 is 1."""
    return _settings(Canonical(), settings or {})


def canonical_parameters(parameters: ModelRequestParameters) -> dict[str, Json]:
    """The parameters that differ from the default; tools stay in their order, which may change an answer."""
    return _parameters(Canonical(), parameters)


def _settings(canonical: Canonical, settings: Mapping[str, Any]) -> dict[str, Json]:
    place = KeyPlace('model_settings')
    values: dict[str, Json] = {}
    for name, value in settings.items():
        if value is None or name in TRANSPORT_SETTINGS or name in _SILENT:
            continue
        if isinstance(value, Mapping):
            value = _without_keys(value)
            if name == 'extra_body':
                value = {field: item for field, item in value.items() if field not in SILENT_SETTINGS}
                if not value:
                    continue
        values[name] = _plain_numbers(canonical.value(value, place.at(name)))
    return values


def _without_keys(value: Any) -> Any:
    """Objects without the fields that carry keys, as gateways want them in bodies."""
    if isinstance(value, Mapping):
        return {k: _without_keys(v) for k, v in value.items() if not (isinstance(k, str) and _KEYS.search(k.lower()))}
    return [_without_keys(item) for item in value] if isinstance(value, list | tuple) else value


def _plain_numbers(form: Json) -> Json:
    """Floats that are whole as integers: 1 and 1.0 are one setting."""
    if isinstance(form, float):
        return int(form) if form.is_integer() else form
    if isinstance(form, list):
        return [_plain_numbers(item) for item in form]
    if isinstance(form, dict):
        return {key: _plain_numbers(item) for key, item in form.items()}
    return form


_PARAMETERS = ModelRequestParameters()


def _parameters(canonical: Canonical, parameters: ModelRequestParameters) -> dict[str, Json]:
    place = KeyPlace('model_request_parameters')
    form: dict[str, Json] = {}
    for field in fields(parameters):
        value = getattr(parameters, field.name)
        if isinstance(value, ResultSchema):
            form[field.name] = _without_none(canonical, value, place.at(field.name))
        elif field.name in ('function_tools', 'result_tools'):
            if value:
                form[field.name] = [_without_none(canonical, tool, place.at(field.name)) for tool in value]
        elif value != getattr(_PARAMETERS, field.name):
            form[field.name] = canonical.value(value, place.at(field.name))
    return form


def _without_none(canonical: Canonical, value: ToolDefinition | ResultSchema, place: KeyPlace) -> dict[str, Json]:
    items = {field.name: getattr(value, field.name) for field in fields(value)}
    return {name: canonical.value(item, place.at(name)) for name, item in items.items() if item is not None}
