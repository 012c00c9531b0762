"""The chat pages for the keyboard and for screen readers: axe-core's rules, the order of the focus, what is announced.

The rules are those of WCAG 2 as https://github.com/dequelabs/axe-core checks them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from chromium import browser, only_with_chromium
from page_readers import FOLDER, only_with_readers
from page_server import serving
from serving import only_in_make_places

from syncai import Agent
from syncai.contrib._page import page_of
from syncai.models.openai import OpenAIChatModel
from syncai.testing import ModelServer, Reply, ToolCall
from syncai.web import chat_app

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

__all__ = ['browser']

only_in_make_places()
only_with_readers()
expect = only_with_chromium().expect
pytestmark = pytest.mark.leaky('one browser and one site serve all tests')
AXE = str(Path(FOLDER) / 'node_modules' / 'axe-core' / 'axe.min.js')
WORDS = """# A title

Words with [a link](https://a.example), `code` and a list:

- one
  1. two

```python
print('a line that is longer than the page is wide, so that it has to be scrolled to be read, by the keyboard too')
```

| key | what it does |
|---|---|
| Enter | sends |
"""


@pytest.fixture(scope='module')
def site() -> Iterator[str]:
    with ModelServer([Reply(thinking='Hm', tool_calls=[ToolCall('look')]), Reply(WORDS)] * 9) as server:
        agent = Agent(OpenAIChatModel('m', base_url=server.base_url, api_key='k'))
        agent.tool_plain(look)
        with serving(chat_app(agent)) as port:
            yield f'http://127.0.0.1:{port}/'


def look() -> str:
    """Looks."""
    return 'seen'


def open_page(browser: Browser, site: str, **options: Any) -> Page:
    page = browser.new_context(**options).new_page()
    page.goto(site)
    return page


def violations(page: Page) -> list[str]:
    page.add_script_tag(path=AXE)
    found = page.evaluate('axe.run()')['violations']
    return [f'{rule["id"]}: {[node["html"][:100] for node in rule["nodes"]]}' for rule in found]


def answered(page: Page) -> None:
    page.get_by_label('Message').fill('Hello')
    page.keyboard.press('Enter')
    expect(page.locator('.assistant table')).to_be_visible()
    expect(page.get_by_role('button', name='Send')).to_be_visible()


@pytest.mark.parametrize('width', [1000, 340])
@pytest.mark.parametrize('scheme', ['light', 'dark'])
def test_no_rule_is_broken(scheme: Any, width: int, browser: Browser, site: str) -> None:
    page = open_page(browser, site, color_scheme=scheme, viewport={'width': width, 'height': 800})
    assert violations(page) == []
    answered(page)
    for summary in page.locator('summary').all():
        summary.click()
    assert violations(page) == []
    assert page.evaluate('document.documentElement.scrollWidth <= innerWidth'), 'nothing sticks out of the page'
    page.context.close()


def test_the_page_of_the_guides_breaks_no_rule(browser: Browser, site: str) -> None:
    page = open_page(browser, site)
    page.set_content(page_of('/chat/', title='Chat'))
    assert violations(page) == []
    page.context.close()


FOCUSED = """() => {
    const one = document.activeElement;
    return one.getAttribute('aria-label') || one.textContent.trim().slice(0, 12) || one.tagName;
}"""


def test_every_control_is_reached_by_the_keyboard_in_the_order_of_the_page(browser: Browser, site: str) -> None:
    page = open_page(browser, site)
    assert page.evaluate(FOCUSED) == 'Message', 'one can write at once'
    answered(page)
    assert page.evaluate(FOCUSED) == 'Message', 'and go on'
    page.evaluate('document.activeElement.blur()')
    page.locator('#new').focus()
    seen: list[str] = []
    while len(seen) < 30 and (not seen or seen[-1] != 'Send'):
        seen.append(page.evaluate(FOCUSED))
        page.keyboard.press('Tab')
    assert seen[0] == 'New chat'
    order = ['Dark theme', 'Thoughts', 'look done', 'a link', "print('a lin", 'Copy', 'Try again']
    order += ['Attach a file', 'Message', 'Send']
    assert [name for name in seen if name in order] == order, seen
    page.context.close()


def test_what_happens_is_announced(browser: Browser, site: str) -> None:
    page = open_page(browser, site)
    conversation = page.get_by_role('log', name='Conversation')
    assert conversation.get_attribute('aria-live') == 'polite'
    answered(page)
    expect(page.get_by_role('status')).to_have_text('The answer is complete.')
    expect(conversation).to_have_attribute('aria-busy', 'false')
    expect(conversation.get_by_role('listitem').first).to_have_text('You: Hello')
    page.context.close()
