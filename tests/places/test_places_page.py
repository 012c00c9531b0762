"""The page of `syncai web` in a real browser: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import base64
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from chromium import browser, only_with_chromium
from serving import Program, only_in_make_places

from syncai.testing import ModelServer, RecordedRequest, Reply, ToolCall

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

__all__ = ['browser']

only_in_make_places()
pytestmark = pytest.mark.leaky('one site serves all tests, and keeps its connections to the model')
sync_api = only_with_chromium()
PIXEL = base64.b64decode(
    'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='
)
HOSTILE = (
    '<img src=x onerror="window.broken=1"><script>window.broken=1</script> [a link](javascript:window.broken=1) '
    '![an image](https://example.org/tracker.png) **bold**'
)
AGENT = """
from syncai import Agent

agent = Agent('openai:m')


@agent.tool_plain
def weather(city: str) -> str:
    return f'Sunny in {city}'
"""


def answer(request: RecordedRequest) -> Reply:
    messages = request.json['messages']
    prompt = str(messages[-1]['content'])
    if messages[-1]['role'] == 'tool':
        return Reply(f'I looked: {prompt}', usage=(5, 4))
    if 'weather' in prompt:
        return Reply(tool_calls=[ToolCall('weather', {'city': 'Paris'})], thinking='Which city?')
    if 'endless' in prompt:
        return Reply('word ', repeat=100_000, delay_between_events=0.02)
    if 'fails' in prompt:
        return Reply(status=401)
    if 'long' in prompt:
        return Reply('\n\n'.join(f'Line {number}' for number in range(200)))
    if 'hostile' in prompt:
        return Reply(*HOSTILE.split(' '), usage=(5, 4))
    return Reply('The answer ', 'number ', str(len(messages)), usage=(12, 7), delay_between_events=0.2)


@pytest.fixture(scope='module')
def model() -> Iterator[ModelServer]:
    with ModelServer(answer) as server:
        yield server


@pytest.fixture(scope='module')
def site(model: ModelServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp('site')
    (folder / 'page_agent.py').write_text(AGENT)
    search = {'PYTHONPATH': f'{folder}:{Path(__file__).parents[2]}'}
    environment = {'OPENAI_API_KEY': 'sk-x', 'OPENAI_BASE_URL': model.base_url, **search}
    command = ('python', '-m', 'syncai.cli', 'web', 'page_agent:agent', '--port', '0')
    with Program(*command, log=folder / 'web.log', **environment) as program:
        program.serves(r'http://127\.0\.0\.1:(\d+)/')
        yield f'http://127.0.0.1:{program.port}/'


@pytest.fixture
def page(browser: Browser, site: str) -> Iterator[Page]:
    context: BrowserContext = browser.new_context()
    page = context.new_page()
    problems: list[str] = []
    page.on('pageerror', lambda error: problems.append(str(error)))
    page.goto(site)
    yield page
    context.close()
    assert problems == []


def ask(page: Page, text: str) -> None:
    page.fill('#text', text)
    page.press('#text', 'Enter')


def finished(page: Page) -> str:
    page.wait_for_selector('#send:visible', timeout=20_000)
    shown: str = page.inner_text('.assistant:last-child')
    return shown


def said(page: Page, text: str) -> None:
    """Wait until the last answer has this text."""
    sync_api.expect(page.locator('.assistant').last).to_contain_text(text)


def test_text_appears_while_it_is_produced(page: Page) -> None:
    """Times taken in the page: the first word is there before the last one came."""
    page.evaluate(
        """() => { window.seen = []; new MutationObserver(() => {
            const text = document.querySelector('.assistant p')?.textContent;
            if (text && text !== window.seen.at(-1)?.[1]) window.seen.push([performance.now(), text]);
        }).observe(document.getElementById('log'), { childList: true, subtree: true, characterData: true }); }"""
    )
    ask(page, 'Hello')
    assert 'The answer number 1' in finished(page)
    seen: list[Any] = page.evaluate('window.seen')
    texts = [text.strip() for _, text in seen]
    assert set(texts) <= {'The answer', 'The answer number', 'The answer number 1'}
    assert len(texts) > 1, 'a busy machine may show two pieces at once, and never all of them'
    assert seen[-1][0] > seen[0][0]
    assert '12 + 7 tokens' in page.inner_text('.foot')


def test_stop_stops_the_model(page: Page, model: ModelServer) -> None:
    ask(page, 'endless')
    said(page, 'word word')
    page.click('#stop')
    assert 'Stopped.' in finished(page)
    model.wait_for_disconnect(timeout=5)
    ask(page, 'endless again')
    said(page, 'word')
    page.keyboard.press('Escape')
    assert 'Stopped.' in finished(page)
    model.wait_for_disconnect(timeout=5)


def test_a_closed_tab_stops_the_model(browser: Browser, site: str, model: ModelServer) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(site)
    ask(page, 'endless')
    said(page, 'word')
    context.close()
    model.wait_for_disconnect(timeout=5)


def test_thoughts_and_calls_are_folded(page: Page) -> None:
    ask(page, 'the weather?')
    assert 'I looked: Sunny in Paris' in finished(page)
    summaries = page.locator('details > summary')
    assert summaries.all_inner_texts() == ['Thoughts', 'weather done']
    summaries.nth(1).click()
    assert page.locator('details pre').all_inner_texts() == ['{\n  "city": "Paris"\n}', 'Sunny in Paris']


def test_the_conversation_goes_on_and_outlives_a_reload(page: Page, model: ModelServer) -> None:
    ask(page, 'one')
    assert 'number 1' in finished(page)
    page.reload()
    assert 'number 1' in page.inner_text('.assistant')
    ask(page, 'two')
    assert 'number 3' in finished(page)
    roles = [message['role'] for message in model.requests[-1].json['messages']]
    assert roles == ['user', 'assistant', 'user']
    page.locator('.assistant:last-child .foot button').click()
    assert 'number 3' in finished(page)
    assert page.locator('.assistant').count() == 2
    page.click('#new')
    assert page.locator('#log > li').count() == 0


def test_an_error_is_a_sentence(page: Page) -> None:
    ask(page, 'fails')
    shown = finished(page)
    assert 'went wrong' in shown or 'problem' in shown or 'failed' in shown.lower(), shown
    assert 'Traceback' not in shown
    assert 'status' not in shown


def test_what_the_model_writes_cannot_run(page: Page) -> None:
    requested: list[str] = []
    page.on('request', lambda request: requested.append(request.url))
    ask(page, 'hostile')
    shown = finished(page)
    assert '<script>window.broken=1</script>' in shown
    assert page.evaluate('window.broken') is None
    assert page.locator('.assistant strong').inner_text() == 'bold'
    links = page.eval_on_selector_all('.assistant a', 'all => all.map(a => [a.href, a.rel])')
    assert links == [['https://example.org/tracker.png', 'noopener noreferrer nofollow ugc']]
    assert all(url.startswith(page.url) for url in requested)


def test_a_file_reaches_the_model(page: Page, model: ModelServer, tmp_path: Path) -> None:
    (tmp_path / 'pixel.png').write_bytes(PIXEL)
    page.set_input_files('#pick', str(tmp_path / 'pixel.png'))
    page.wait_for_selector('#files li')
    ask(page, 'what is it?')
    finished(page)
    text, image = model.requests[-1].json['messages'][-1]['content']
    assert text == {'type': 'text', 'text': 'what is it?'}
    assert base64.b64decode(image['image_url']['url'].partition(',')[2]) == PIXEL


@pytest.mark.parametrize('scheme', ['light', 'dark'])
def test_the_theme_is_that_of_the_system_until_one_is_chosen(browser: Browser, site: str, scheme: Any) -> None:
    context = browser.new_context(color_scheme=scheme)
    page = context.new_page()
    page.goto(site)
    assert page.get_attribute('html', 'data-theme') == scheme
    page.click('#theme')
    page.reload()
    assert page.get_attribute('html', 'data-theme') != scheme
    context.close()


def test_ctrl_c_ends_the_program(tmp_path: Path) -> None:
    with Program('python', '-m', 'syncai.cli', 'web', '--demo', '--port', '0', log=tmp_path / 'log') as program:
        program.serves(r'http://127\.0\.0\.1:(\d+)/')
        program.process.send_signal(signal.SIGINT)
        assert program.process.wait(10) == 130


BELOW = 'main => main.scrollHeight - main.scrollTop - main.clientHeight'


def test_the_end_stays_in_view_and_a_reader_who_scrolls_up_stays_there(page: Page) -> None:
    """Much that arrives at once must not hide what comes after it, such as the buttons of a call that waits."""
    for text in ('long', 'and another long one'):
        ask(page, text)
        finished(page)
        said(page, 'Line 199')
        assert page.eval_on_selector('main', BELOW) < 100
    ask(page, 'endless')
    said(page, 'word')
    page.evaluate("() => document.querySelector('main').scrollTo(0, 0)")
    page.wait_for_timeout(500)
    assert page.evaluate("() => document.querySelector('main').scrollTop") == 0
    page.click('#stop')


def test_counts_that_are_not_known_are_not_shown(page: Page) -> None:
    ask(page, 'long')
    assert 'tokens' not in finished(page)
