"""Answers in a notebook, as they arrive. Results, usage and conversations show themselves at the end of a cell."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Protocol

from ._base.notebook import safe_markdown

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ['show', 'TextStream']


class TextStream(Protocol):
    """A stream of text: the object of `run_stream_sync`, of an agent or a conversation."""

    def stream_text(self, *, delta: bool = ..., debounce_by: float | None = ...) -> Iterator[str]:
        """The text as it arrives."""
        ...


def show(stream: TextStream) -> str:
    """Show the text of a stream as Markdown while it arrives, and return it whole.

    Outside of a notebook the text is printed as it comes. HTML of the model is shown as text.

    Args:
        stream: A stream of text, within its `with` block.

    Example:
        ```python
        with agent.run_stream_sync('Explain a mutex.') as stream:
            show(stream)
        ```
    """
    handle = _display()
    if handle is None:
        return _printed(stream)
    text = ''
    for text in stream.stream_text(debounce_by=0.05):
        handle.update({'text/markdown': safe_markdown(text), 'text/plain': text}, raw=True)
    return text


def _display() -> Any:
    """A display handle in the output of a notebook, or None outside of one."""
    try:
        ipython: Any = importlib.import_module('IPython')
        display: Any = importlib.import_module('IPython.display').display
    except ImportError:
        return None
    if getattr(ipython.get_ipython(), 'kernel', None) is None:  # IPython in a terminal
        return None
    return display({'text/markdown': '', 'text/plain': ''}, raw=True, display_id=True)


def _printed(stream: TextStream) -> str:
    text = ''
    for piece in stream.stream_text(delta=True, debounce_by=None):
        print(piece, end='', flush=True)
        text += piece
    print()
    return text
