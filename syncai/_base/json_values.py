"""Values as JSON: files as themselves, bytes and text that UTF-8 cannot hold, and numbers that JSON lacks.

One policy for text: two adjacent halves of a surrogate pair become the character that they encode. A single half, which
no encoding of JSON can hold, becomes U+FFFD, the replacement character of Unicode.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

from .system import warn_in_log
from .values import Value

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, SerializationInfo, SerializerFunctionWrapHandler
    from pydantic_core import CoreSchema, SchemaSerializer

# A pair, a half, or any other escape, of which the second character may be a backslash.
_ESCAPES = r'\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<half>\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\.'
_REPLACEMENT = '\ufffd'
HALF_PAIR = '%s holds half of a surrogate pair, which cannot be sent: it is replaced by U+FFFD'

# The files found so far, while `without_files` writes a value in this context.
_files_aside: ContextVar[list[Any] | None] = ContextVar('syncai_files_taken_out', default=None)


# Whether pydantic keeps files as objects when it dumps a model in this context.
_files_as_objects: ContextVar[bool] = ContextVar('syncai_files_kept', default=False)


# --- text -------------------------------------------------------------------------------------------------------------


def whole_text(text: str) -> str:
    """The text as UTF-8 can hold it; the same object if it needs no change."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode('utf-16-le', 'surrogatepass').decode('utf-16-le', 'replace')
    return text


def sendable_text(text: str, place: str) -> str:
    """The text as UTF-8 can hold it; a warning names the place if it was changed."""
    whole = whole_text(text)
    if whole is not text:
        warn_in_log(HALF_PAIR, place)
    return whole


def whole_escapes(json: str) -> str:
    r"""JSON text without escapes such as `\ud83d` that are half a pair, which strict parsers refuse."""
    if '\\u' not in json:
        return json
    return re.sub(_ESCAPES, lambda escape: _REPLACEMENT if escape['half'] else escape[0], json)


def whole_values(value: Any) -> Any:
    """Lists, dicts, models and dataclasses as JSON values, with each text as UTF-8 can hold it."""
    if isinstance(value, str):
        return whole_text(value)
    if isinstance(value, dict):
        return {whole_values(key): whole_values(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [whole_values(item) for item in value]
    if isinstance(value, JsonFile):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: whole_values(getattr(value, field.name)) for field in fields(value)}
    dump = getattr(type(value), 'model_dump', None)
    return whole_values(_with_files_in_it(dump, value)) if callable(dump) else value


def _with_files_in_it(dump: Callable[[Any], Any], model: Any) -> Any:
    token = _files_as_objects.set(True)
    try:
        return dump(model)
    finally:
        _files_as_objects.reset(token)


# --- values -----------------------------------------------------------------------------------------------------------


def json_text(value: Any) -> str:
    """A value as JSON text.

    Bytes are text where they are UTF-8, and base64 where one of them is not; NaN and infinity are text.

    Raises:
        ValueError: The value, or one in it, cannot be written.
    """
    from pydantic_core import to_json

    try:
        return to_json(value, inf_nan_mode='strings').decode()
    except ValueError:  # often bytes that are no text
        if (files := _files_aside.get()) is not None:
            files.clear()
        return to_json(value, inf_nan_mode='strings', bytes_mode='base64').decode()


def json_value(value: Any) -> Any:
    """A value as JSON can hold it, its text as UTF-8 can hold it; otherwise as `json_text`."""
    from pydantic_core import from_json

    return whole_text(value) if isinstance(value, str) else from_json(whole_json_text(value))


def returned_text(value: Any) -> str:
    """The return of a tool, as the model reads it. A value that JSON writes as text, such as a date, is sent as that
    text; any other value as JSON. So a history sends the same before and after it was stored.
    """
    if isinstance(value, str):
        return value
    text = whole_json_text(value)
    if text.startswith('"'):
        from pydantic_core import from_json

        return str(from_json(text))
    return text


def whole_json_text(value: Any) -> str:
    """A value as JSON text, its text as UTF-8 can hold it; otherwise as `json_text`."""
    try:
        return json_text(value)
    except ValueError:
        if (files := _files_aside.get()) is not None:
            files.clear()
        return json_text(whole_values(value))


def without_files(write: Callable[[Any], Any], value: Any) -> tuple[Any, list[Any]]:
    """The output of `write` with a note in place of each file, and the files in their order."""
    files: list[Any] = []
    token = _files_aside.set(files)
    try:
        return write(value), files
    finally:
        _files_aside.reset(token)


# --- files ------------------------------------------------------------------------------------------------------------


class _LazySerializer:
    """The serializer of a class of files, for pydantic's functions that know no type, such as `to_json`."""

    def __get__(self, instance: object, owner: type) -> SchemaSerializer:
        from pydantic import TypeAdapter

        serializer: SchemaSerializer = TypeAdapter(owner).serializer
        owner.__pydantic_serializer__ = serializer  # type: ignore[attr-defined]  # at worst two threads make it
        return serializer


class JsonFile(Value):
    """A file in JSON: an object of all its fields, its bytes as base64, wherever pydantic meets it.

    This holds in users' models too, whose configuration may write bytes as UTF-8, and in values of any type.
    """

    __slots__ = ()
    __pydantic_serializer__ = _LazySerializer()

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """How pydantic reads and writes it."""
        from pydantic_core import core_schema

        # In the schema of the class itself: where pydantic refers to the class, it drops a schema around it.
        schema: Any = handler.resolve_ref_schema(handler(source))
        schema['serialization'] = core_schema.wrap_serializer_function_ser_schema(_written, info_arg=True)
        core: CoreSchema = schema
        return core


class Base64:
    """Marks a field of bytes that are base64 wherever they are text."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """How pydantic reads it."""
        from pydantic_core import core_schema

        return core_schema.no_info_before_validator_function(_decoded, handler(source))


def _decoded(value: Any) -> Any:
    return base64_bytes(value) if isinstance(value, str) else value


def base64_bytes(text: str) -> bytes:
    """The bytes of base64 in either alphabet.

    Raises:
        ValueError: It is no base64.
    """
    plain = text.translate(_STANDARD)
    return base64.b64decode(plain + '=' * (-len(plain) % 4), validate=True)


_STANDARD = str.maketrans('-_', '+/')


def _written(file: Any, in_python: SerializerFunctionWrapHandler, info: SerializationInfo) -> Any:
    if info.mode == 'json':
        return _in_json(file)
    return file if _files_as_objects.get() else in_python(file)


def _in_json(file: Any) -> Any:
    files = _files_aside.get()
    if files is not None:
        files.append(file)
        return f'[file {len(files)}, attached]'
    values = {field.name: getattr(file, field.name) for field in fields(file)}
    if isinstance(data := values.get('data'), bytes):
        values['data'] = base64.b64encode(data).decode()
    return values
