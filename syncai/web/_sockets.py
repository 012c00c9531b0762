"""The client's socket, if the WSGI server of a request exposes it."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

# Attributes that lead from `wsgi.input` to the socket: wsgiref gives a reader of the socket itself, and Django's
# `runserver` a bound method of such a reader.
_FROM_INPUT = (('raw', '_sock'), ('_read', '__self__', 'raw', '_sock'))


def client_socket(environ: Mapping[str, Any]) -> int | None:
    """The descriptor of a request's connection; None if the server does not expose it.

    gunicorn (all workers), Werkzeug, wsgiref, Django's runserver and uWSGI expose it; waitress and mod_wsgi do not.
    """
    for name in ('gunicorn.socket', 'werkzeug.socket'):
        if name in environ:
            return _descriptor(environ[name])
    if 'uwsgi.version' in environ:
        # A module that uWSGI itself provides.
        descriptor = importlib.import_module('uwsgi').connection_fd()
        return descriptor if isinstance(descriptor, int) and descriptor >= 0 else None
    for names in _FROM_INPUT:
        value: Any = environ.get('wsgi.input')
        for name in names:
            value = getattr(value, name, None)
        if value is not None:
            return _descriptor(value)
    return None


def _descriptor(socket: Any) -> int | None:
    try:
        descriptor = socket.fileno()
    except (AttributeError, OSError, ValueError):
        return None
    return descriptor if isinstance(descriptor, int) and descriptor >= 0 else None
