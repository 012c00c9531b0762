"""The chat page of an application: one HTML file, without a build step."""

from __future__ import annotations

import functools
import html
import json
from pathlib import Path

from ..web._page import with_markdown

__all__ = ['page_of']


def page_of(endpoint: str, *, title: str, csrf_token: str = '') -> str:
    """The page.

    Args:
        endpoint: The address of its endpoint.
        title: Its title.
        csrf_token: The value of `X-CSRFToken`; the empty string sends none.
    """
    config = json.dumps({'endpoint': endpoint, 'csrf': csrf_token}).replace('<', '\\u003c')
    return _template().replace('{{title}}', html.escape(title)).replace('{{config}}', config)


@functools.cache
def _template() -> str:
    return with_markdown(Path(__file__).with_name('_page.html').read_text(encoding='utf-8'))
