r"""Markdown in the page of `syncai web`, in a browser, compared with markdown-it's; and what its author must not get.

Both are compared as trees of elements and words. Different by intent: headings are a level lower, since the page has a
title; an image is a link to it, so that nothing is fetched from elsewhere; an address that is no web or mail address
stays text.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from chromium import browser, only_with_chromium
from page_readers import FOLDER, only_with_readers
from page_server import serving
from serving import PLACES, only_in_make_places

from syncai import Agent
from syncai.web import chat_app

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

__all__ = ['browser']

only_in_make_places()
only_with_readers()
only_with_chromium()

SAMPLES = {
    'paragraphs': 'One\ntwo\n\nThree  \nfour\\\nfive',
    'emphasis': '*a* **b** ***c*** _d_ __e__ ~~f~~ **bold *both* bold** *it **both** it*',
    'no emphasis': '2 * 3 * 4, snake_case_name, a_b_, * x*, **, ****, \\*a\\*, 5*6*7 and 1 ~ 2',
    'emphasis in words': 'un*frigging*believable, a**b**c, "*quoted*", (**bold**), **"quoted"**x',
    'unclosed emphasis': 'An **unfinished',
    'half closed': '***a* b** and **c *d*** and *e **f',
    'code': '`a` ``b ` c`` ` ` `` ` `` `<script>` `*no*` and `unclosed',
    'headings': '# One\n## Two ##\n### Three\n#no\n####### no\n\nTitle\n=====\n\nSecond\n---',
    'rules': 'a\n\n---\n\n***\n\n- - -',
    'a fence': 'Code:\n```python\nx = "<b>"\n\n  y = 2\n```\nafter',
    'an unclosed fence': 'Code:\n\n```js\nconst x = 1;\n\n- no list\n# no heading',
    'a fence in a fence': '````md\n```js\nx\n```\n````',
    'tildes': '~~~\na\n```\n~~~\nb',
    'a fence that is indented': '  ```\n    a\n  b\n  ```',
    'code by indent': 'a\n\n    code <b>\n\n    more\n\nb',
    'a list': '- one\n- two\n- three',
    'a list after a text': 'Things:\n- one\n- two\nand more',
    'nested lists': '- a\n  - b\n    - c\n  - d\n- e\n  1. f\n  2. g\n     - h',
    'a loose list': '- a\n\n- b\n\n  more of b\n- c',
    'an ordered list': '3. three\n4. four\n\n   with a paragraph\n\n5. five',
    'a list with code': '1. One:\n\n   ```sh\n   pip x\n\n   ls\n   ```\n\n2. Two:\n   ```\n   y\n   ```\n3. Three',
    'a list with a quote': '- a\n  > b\n- c\n\n  > d',
    'two lists': '- a\n- b\n* c\n* d\n\n1. e\n1) f',
    'no lists': '2020 was\n1986. A year\n-no\n+1 and 3.14',
    'an empty item': '- a\n-\n- c',
    'long numbers': '100. a\n101. b\n     - c',
    'quotes': '> a\n> b\n>\n> - c\n> - d\n\nafter\n\n> > nested\nlazy',
    'a table': '| a | b |\n|---|:-:|\n| 1 | **2** |\n| `x` | y \\| z |\n\nafter',
    'a table without edges': 'a | b\n--- | ---\n1 | 2\n3',
    'no table': 'a | b\n\n| c | d |\n| - |',
    'a table after a text': 'See:\n\n| a |\n|---|\n| 1 |\nnot a row?',
    'links': '[a](https://a.example/x) [b](<https://b.example/a b> "title") [**c**](https://c.example/(x)) [d]',
    'bare addresses': 'See https://a.example/x?y=1&z=2, (https://b.example/(x)) or https://c.example. <https://d.example>',
    'mail': '<mailto:a@b.example> and [write](mailto:a@b.example)',
    'brackets': '[[x]] [a] (b) ![ ] array[1][2]',
    'entities': 'a &lt; b &amp; c &copy; &#x41; &#66; &nope; &lt;b&gt; AT&T',
    'tags': '<b>bold</b> <script>x</script> <img src=x onerror=y> a < b > c',
    'escapes': '\\# no \\[a\\](b) \\` \\\\ \\x',
    'another script': 'שלום **עולם**\n\n- مرحبا\n- hello',
    'signs': '\U0001f600 **\U0001f600** 中文**粗体**文字 “*x*”',
    'carriage returns': 'a\r\nb\r\n\r\n- c\r\n- d',
    'tabs': '-\ta\n\n\tb\n',
    'nothing': '   \n\n',
}
TREE = """html => {
    const root = typeof html === 'string' ? new DOMParser().parseFromString(html, 'text/html').body : html;
    const words = (text, raw) => raw ? text.replace(/\\n$/, '') : text.replace(/\\s+/g, ' ');
    const tree = (node, raw) => {
        const all = [];
        const add = (one) => {
            if (typeof one === 'string' && typeof all.at(-1) === 'string') all[all.length - 1] += one;
            else all.push(one);
        };
        for (const child of node.childNodes) {
            if (child.nodeType === 3) { add(words(child.data, raw)); continue; }
            const name = child.tagName.toLowerCase();
            if (name === 'button') continue;
            if (name === 'div') tree(child, raw).forEach(add);
            else if (name === 'img') add(['a', child.src, child.alt]);
            else if (name === 'a') add(['a', child.href, ...tree(child)]);
            else add([name, ...(child.getAttribute('start') ?? ''), ...tree(child, name === 'pre' || raw)]);
        }
        return all.map((one) => (typeof one === 'string' && !raw ? one.trim() : one)).filter((one) => one !== '');
    };
    return tree(root);
}"""
RENDER = f"text => {{ const place = document.createElement('div'); render(place, text); return ({TREE})(place); }}"
HEADINGS = {f'h{level}': f'h{min(level + 1, 6)}' for level in range(1, 7)}


@pytest.fixture(scope='module')
def page(browser: Browser) -> Iterator[Page]:
    with serving(chat_app(Agent('test'))) as port:
        page = browser.new_page()
        page.goto(f'http://127.0.0.1:{port}/')
        yield page
        page.close()


@pytest.fixture(scope='module')
def expected() -> dict[str, str]:
    """The HTML that markdown-it makes of each sample."""
    command = ['node', str(PLACES / 'web_readers' / 'markdown.mjs'), FOLDER]
    texts = json.dumps(list(SAMPLES.values()))
    done = subprocess.run(command, input=texts, capture_output=True, text=True, timeout=30, check=True)
    return dict(zip(SAMPLES, json.loads(done.stdout), strict=True))


def lowered(tree: Any) -> Any:
    """The tree with its headings a level lower."""
    if not isinstance(tree, list):
        return tree
    head = [HEADINGS.get(tree[0], tree[0])] if tree and isinstance(tree[0], str) else []
    return [*head, *map(lowered, tree[len(head) :])]


pytestmark = pytest.mark.leaky('one browser and one page serve all tests')


@pytest.mark.parametrize('name', SAMPLES)
def test_it_is_read_as_markdown_it_reads_it(name: str, page: Page, expected: dict[str, str]) -> None:
    assert page.evaluate(RENDER, SAMPLES[name]) == lowered(page.evaluate(TREE, expected[name]))


GROWING = """text => {
    const growing = document.createElement('div'), wrong = [];
    for (let end = 0; end <= text.length; end++) {
        const whole = document.createElement('div');
        render(growing, text.slice(0, end));
        render(whole, text.slice(0, end));
        if (whole.innerHTML !== growing.innerHTML) wrong.push(end);
    }
    return wrong;
}"""


def test_a_text_that_grows_looks_at_each_length_as_if_it_had_come_at_once(page: Page) -> None:
    assert page.evaluate(GROWING, '\n\n'.join(SAMPLES.values())) == []


@pytest.mark.parametrize(
    'text',
    [
        '[x](javascript:alert(1))',
        '[x](JaVaScRiPt:alert(1))',
        '[x]( javascript:alert(1))',
        '[x](<javascript:alert(1)>)',
        '[x](java\tscript:alert(1))',
        '[x](&#106;avascript:alert(1))',
        '[x](data:text/html,<script>alert(1)</script>)',
        '![x](data:image/svg+xml;base64,PHN2Zz4=)',
        '[x](vbscript:x)',
        '[x](file:///etc/passwd)',
        '[x](//evil.example)',
        '[x](/logout)',
        '<javascript:alert(1)>',
        '<script>window.broken = 1</script>',
        '<img src=x onerror="window.broken = 1">',
        '<iframe srcdoc="<script>parent.broken = 1</script>"></iframe>',
        '&lt;img src=x onerror=&quot;window.broken = 1&quot;&gt;',
        '```"><img src=x onerror=window.broken=1>\nx\n```',
        '| <img src=x onerror=window.broken=1> |\n|---|\n| </td><script>window.broken=1</script> |',
        '&lt/textarea&gt;<img src=x onerror=window.broken=1>',
    ],
)
def test_no_address_but_of_the_web_and_no_element_of_the_model(text: str, page: Page) -> None:
    code = """text => {
        const place = document.body.appendChild(document.createElement('div'));
        render(place, text);
        const names = [...new Set([...place.querySelectorAll('*')].map((one) => one.tagName))];
        return [names, place.textContent];
    }"""
    names, words = page.evaluate(code, text)
    assert set(names) <= {'P', 'DIV', 'PRE', 'CODE', 'BUTTON', 'TABLE', 'THEAD', 'TBODY', 'TR', 'TH', 'TD'}
    assert words
    page.wait_for_timeout(30)  # what would be fetched, fails, and then would run
    assert page.evaluate('window.broken') is None


def test_links_say_that_they_are_not_ours(page: Page) -> None:
    code = """text => {
        const place = document.createElement('div');
        render(place, text);
        return [...place.querySelectorAll('a')].map((one) => [one.rel, one.target, one.getAttribute('href')]);
    }"""
    text = '[a](https://a.example) https://b.example <https://c.example> ![d](https://d.example/e.png)'
    rel = ('noopener noreferrer nofollow ugc', '_blank')
    addresses = ['https://a.example', 'https://b.example', 'https://c.example', 'https://d.example/e.png']
    assert page.evaluate(code, text) == [[*rel, address] for address in addresses]


@pytest.mark.parametrize(
    'text',
    [
        '*a ' * 20_000,
        '**' * 30_000 + 'a',
        '_a*b' * 15_000,
        '[' * 50_000,
        '[a](' * 15_000,
        '![' * 30_000,
        '`' + '`a``' * 15_000,
        '> ' * 300 + 'a',
        ' ' * 50_000 + 'x',
        '#' + ' ' * 50_000 + 'x',
        'a|b\n' + '-' * 20_000 + ' ' * 20_000 + 'x',
        '- a\n' * 5_000,
        'https://' * 10_000,
        '&' * 50_000,
        '\n'.join('  ' * depth + '- a' for depth in range(200)),
    ],
    ids=range(15),
)
def test_no_text_holds_up_the_page(text: str, page: Page) -> None:
    """Of each the time grows with its length; where it grew with the square, the page would stand still for minutes."""
    code = (
        "text => { const place = document.createElement('div'); render(place, text); return place.textContent.length; }"
    )
    assert page.evaluate(code, text) > 0
