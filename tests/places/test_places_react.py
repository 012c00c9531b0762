"""A page made with React and the real `useChat`, in a browser, against the view of Flask under gunicorn."""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from chromium import browser, only_with_chromium, watch, watched
from page_readers import FOLDER, only_with_readers
from serving import PLACES, Program, only_in_make_places

from syncai.testing import ModelServer, RecordedRequest, Reply, ToolCall

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

__all__ = ['browser']

only_in_make_places()
only_with_readers()
expect = only_with_chromium().expect
pytestmark = pytest.mark.leaky('one site serves all tests, and keeps its connections to the model')
PIXEL = base64.b64decode(
    'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='
)
HOSTILE = '<img src=x onerror="window.broken=1"><script>window.broken=1</script>'
PAUSE = 0.2  # seconds between two words


def answer(request: RecordedRequest) -> Reply:
    messages = request.json['messages']
    prompt = str(messages[-1]['content'])
    if messages[-1]['role'] == 'tool':
        return Reply(f'I looked: {prompt}')
    if 'weather' in prompt:
        return Reply(thinking='Which city?', tool_calls=[ToolCall('weather', {'city': 'Paris'})])
    if 'refund' in prompt:
        return Reply(tool_calls=[ToolCall('refund', {'order': 7}, 'r1')])
    if 'endless' in prompt:
        return Reply('word ', repeat=100_000, delay_between_events=0.02)
    if 'key' in prompt:
        return Reply(status=401)
    if 'breaks' in prompt:
        return Reply('Half', ' of', ending='cut')
    if 'hostile' in prompt:
        return Reply(HOSTILE)
    return Reply('The answer ', 'number ', str(len(messages)), usage=(12, 7), delay_between_events=PAUSE)


@pytest.fixture(scope='module')
def model() -> Iterator[ModelServer]:
    with ModelServer(answer) as server:
        yield server


@pytest.fixture(scope='module')
def site(model: ModelServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    folder = tmp_path_factory.mktemp('react')
    for major in ('5', '6', '7'):
        build(major, folder / f'{major}.js')
    variables = {'BUNDLES': str(folder), 'STORE': f'sqlite:{folder}/chats.db'}
    variables |= {'OPENAI_BASE_URL': model.base_url, 'OPENAI_API_KEY': 'sk-of-a-test'}
    command = ['gunicorn', '-k', 'gthread', '--threads', '8', '-b', '127.0.0.1:0', 'react_app:app']
    with Program(*command, log=folder / 'log', **variables) as program:
        program.serves(r'Listening at: http://127\.0\.0\.1:(\d+)', path='/react/7')
        yield program
    assert 'Error handling request' not in program.output, program.output  # as gunicorn logs what the view raised


def build(major: str, bundle: Path) -> None:
    """The page with the packages of one major of the AI SDK."""
    esbuild = str(Path(FOLDER) / 'node_modules' / '.bin' / 'esbuild')
    aliases = [f'--alias:@ai-sdk/react=react{major}', f'--alias:ai=ai{major}']
    options = ['--bundle', '--jsx=automatic', '--log-level=error', '--define:process.env.NODE_ENV="production"']
    source = str(PLACES / 'web_readers' / 'chat.jsx')
    environment = {**os.environ, 'NODE_PATH': str(Path(FOLDER) / 'node_modules')}
    command = [esbuild, source, *aliases, *options, f'--outfile={bundle}']
    subprocess.run(command, check=True, cwd=FOLDER, env=environment, timeout=50)


@pytest.fixture(params=['5', '6', '7'])
def page(request: pytest.FixtureRequest, browser: Browser, site: Program) -> Iterator[Page]:
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(15_000)
    problems: list[str] = []
    page.on('pageerror', lambda error: problems.append(str(error)))
    page.goto(f'http://127.0.0.1:{site.port}/react/{request.param}')
    yield page
    context.close()
    assert problems == []


def ask(page: Page, text: str) -> None:
    page.get_by_label('Message').fill(text)
    page.get_by_role('button', name='Send').click()


def settled(page: Page, state: str = 'ready') -> None:
    expect(page.get_by_role('status')).to_have_text(state)


def test_text_appears_while_it_is_produced(page: Page) -> None:
    watch(page, '.assistant .text')
    ask(page, 'Hello')
    expect(page.locator('.assistant')).to_contain_text('The answer number 2')
    settled(page)
    seen = watched(page)
    assert [text for _, text in seen] == ['The answer', 'The answer number', 'The answer number 2']
    assert seen[-1][0] - seen[0][0] > 1500 * PAUSE  # milliseconds: two pauses lie between
    expect(page.locator('.assistant small')).to_have_text('7 tokens')


def test_stop_stops_the_run_on_the_server(page: Page, model: ModelServer) -> None:
    ask(page, 'endless')
    expect(page.locator('.assistant')).to_contain_text('word word')
    page.get_by_role('button', name='Stop').click()
    assert model.wait_for_disconnect(timeout=5).finished_at is None
    settled(page)
    expect(page.get_by_role('alert')).to_have_count(0)
    ask(page, 'And now?')
    expect(page.locator('.assistant').last).to_contain_text('The answer number 4')
    stopped = model.requests[-1].json['messages'][2]
    assert stopped['role'] == 'assistant'
    assert stopped['content'].startswith('word word'), 'what was said before Stop is in the conversation'


def test_a_call_and_its_return(page: Page) -> None:
    ask(page, 'the weather?')
    expect(page.locator('.assistant .text')).to_have_text('I looked: Sunny in Paris')
    expect(page.locator('.tool')).to_have_text('weather {"city":"Paris"} output-available"Sunny in Paris"')
    expect(page.locator('.assistant details')).to_contain_text('Which city?')


@pytest.mark.parametrize('page', ['6', '7'], indirect=True)
@pytest.mark.parametrize(('button', 'said'), [('Approve', 'Refunded order 7'), ('Deny', 'Not today')])
def test_a_call_waits_for_the_user_of_the_page(button: str, said: str, page: Page, model: ModelServer) -> None:
    ask(page, 'a refund, please')
    settled(page)
    page.get_by_role('button', name=button).click()
    expect(page.locator('.assistant .text')).to_contain_text(said)
    settled(page)
    assert page.locator('.assistant').count() == 1, 'the answer continues the message'
    assert model.requests[-1].json['messages'][-1]['role'] == 'tool'
    ask(page, 'Hello')
    expect(page.locator('.assistant').last).to_contain_text('The answer number')
    expect(page.get_by_role('alert')).to_have_count(0)


def test_a_file_reaches_the_model(page: Page, model: ModelServer, tmp_path: Path) -> None:
    (tmp_path / 'pixel.png').write_bytes(PIXEL)
    page.get_by_label('Files').set_input_files(str(tmp_path / 'pixel.png'))
    ask(page, 'what is it?')
    expect(page.locator('.assistant')).to_contain_text('The answer')
    content = model.requests[-1].json['messages'][-1]['content']
    assert {'type': 'text', 'text': 'what is it?'} in content
    [image] = [part['image_url']['url'] for part in content if part['type'] == 'image_url']
    assert base64.b64decode(image.partition(',')[2]) == PIXEL


@pytest.mark.parametrize(
    ('question', 'sentence'),
    [
        ('a wrong key', 'Something went wrong on the server. Please try again later.'),
        ('it breaks', 'The answer broke off. Please try again.'),
    ],
)
def test_an_error_is_a_sentence(question: str, sentence: str, page: Page) -> None:
    ask(page, question)
    expect(page.get_by_role('alert')).to_have_text(sentence)
    settled(page, 'error')
    if 'breaks' in question:
        expect(page.locator('.assistant .text')).to_have_text('Half of')


def test_the_conversation_outlives_a_reload(page: Page, model: ModelServer) -> None:
    ask(page, 'one')
    expect(page.locator('.assistant')).to_contain_text('number 2')
    settled(page)
    page.reload()
    expect(page.locator('.assistant')).to_contain_text('number 2')
    ask(page, 'two')
    expect(page.locator('.assistant').last).to_contain_text('number 4')
    roles = [message['role'] for message in model.requests[-1].json['messages']]
    assert roles == ['system', 'user', 'assistant', 'user']


def test_what_the_model_writes_cannot_run(page: Page) -> None:
    ask(page, 'hostile')
    expect(page.locator('.assistant .text')).to_have_text(HOSTILE)
    assert page.evaluate('window.broken') is None
