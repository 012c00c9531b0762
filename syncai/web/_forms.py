"""The forms of a stream, and their headers."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

from ..exceptions import UserError

Form: TypeAlias = Literal['ai-sdk', 'ag-ui', 'events', 'text']
"""The form that a page reads: the stream of AI SDK 5, 6 and 7, that of AG-UI 1.0, events of syncai as JSON, or text."""

# `Content-Encoding` keeps Django's GZipMiddleware and the gzip of nginx away, which would hold the answer back; it is
# no-transform that other proxies ask for. `X-Accel-Buffering` is for nginx, which takes it out.
_HEADERS = {
    'Content-Type': 'text/event-stream; charset=utf-8',
    'Cache-Control': 'no-cache, no-transform',
    'X-Accel-Buffering': 'no',
    'Content-Encoding': 'identity',
}
_OF_FORM: dict[str, dict[str, str]] = {
    'ai-sdk': {'x-vercel-ai-ui-message-stream': 'v1'},
    # A browser that must guess the type of a text waits for more of it.
    'text': {'Content-Type': 'text/plain; charset=utf-8', 'X-Content-Type-Options': 'nosniff'},
}


def headers(form: Form = 'ai-sdk') -> dict[str, str]:
    """The headers of a response with a stream of this form; a new dict each time.

    There is no `Connection` among them, which WSGI forbids, and no `Content-Length`.
    """
    return {**_HEADERS, **_OF_FORM.get(check_form(form), {})}


def check_form(form: object) -> Form:
    """The form.

    Raises:
        UserError: There is no such form.
    """
    for name in get_args(Form):
        if form == name:
            checked: Form = name
            return checked
    raise UserError(f'form must be one of {", ".join(map(repr, get_args(Form)))}, not {form!r:.100}')
