"""The projects of the guides under gunicorn, in a real browser: they chat, pause, are approved in the admin, resume."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chromium import browser, only_with_chromium
from guide import code_under, django_project, environment, manage
from serving import Program, only_in_make_places

from syncai.testing import ModelServer, RecordedRequest, Reply, ToolCall

__all__ = ['browser']

only_in_make_places()
only_with_chromium()
pytestmark = pytest.mark.leaky('the servers of the module keep their connections to its model')
SCRIPT = '<img src=x onerror="document.title=1">'


def answer(request: RecordedRequest) -> Reply:
    """A refund is a call; after its return a sentence says what it was; `slow` never ends."""
    last = request.json['messages'][-1]
    text = str(last['content'])
    if last['role'] == 'tool':
        return Reply('It is done: ', text)
    if 'refund' in text:
        return Reply(tool_calls=[ToolCall('refund', {'order': 7, 'amount': 20}, 'call-1')])
    if 'table' in text:
        return Reply('**Bold** and [here](javascript:alert(1)).\n\n', '| a | b |\n|---|---|\n| 1 | 2 |\n')
    if 'slow' in text:
        return Reply('word ', repeat=100_000, delay_between_events=0.05)
    return Reply('Good ', 'day ', SCRIPT, delay_between_events=0.05)


@pytest.fixture(scope='module')
def model() -> Iterator[ModelServer]:
    with ModelServer(answer) as server:
        yield server


@pytest.fixture(scope='module')
def variables(model: ModelServer) -> dict[str, str]:
    return {'OPENAI_BASE_URL': model.base_url, 'OPENAI_API_KEY': 'sk-of-a-test'}


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(15_000)
    yield page
    context.close()


@pytest.fixture(scope='module')
def django(tmp_path_factory: pytest.TempPathFactory, variables: dict[str, str]) -> Iterator[Program]:
    directory = django_project(tmp_path_factory.mktemp('django'), **variables)
    doctor = manage(directory, 'syncai_doctor', '--offline', **variables)
    assert 'its tables are there' in doctor
    log = directory / 'gunicorn.log'
    command = ['gunicorn', '--chdir', str(directory), '-k', 'gthread', '--threads', '8', '-b', '127.0.0.1:0']
    with Program(*command, 'mysite.wsgi', log=log, **environment(**variables)) as program:
        yield program.serves(r'Listening at: http://127\.0\.0\.1:(\d+)')


def say(page: Any, text: str) -> None:
    page.get_by_label('Your message').fill(text)
    page.get_by_role('button', name='Send').click()


def test_a_chat_shows_text_and_runs_no_script(page: Any, django: Program) -> None:
    page.goto(f'http://127.0.0.1:{django.port}/')
    say(page, 'Hello')
    page.get_by_text(f'Good day {SCRIPT}').wait_for()
    page.get_by_role('button', name='Send').wait_for()  # the run has ended
    assert page.title() == 'Chat'


def test_markdown_becomes_elements(page: Any, django: Program) -> None:
    page.goto(f'http://127.0.0.1:{django.port}/')
    say(page, 'A table')
    table = page.locator('.assistant table')
    table.wait_for()
    assert table.locator('td').all_inner_texts() == ['1', '2']
    assert page.locator('.assistant strong').inner_text() == 'Bold'
    assert page.locator('.assistant a').count() == 0
    page.get_by_role('button', name='Send').wait_for()


def test_stop_stops_the_run_on_the_server(page: Any, django: Program, model: ModelServer) -> None:
    page.goto(f'http://127.0.0.1:{django.port}/')
    say(page, 'Be slow')
    page.get_by_text('word word').wait_for()
    page.get_by_role('button', name='Stop').click()
    assert model.wait_for_disconnect(timeout=5).finished_at is None
    page.get_by_role('button', name='Send').wait_for()


@pytest.mark.parametrize('decision', ['Approve', 'Deny'])
def test_a_call_waits_and_goes_on_when_the_staff_has_decided(
    page: Any, browser: Any, django: Program, decision: str
) -> None:
    site = f'http://127.0.0.1:{django.port}'
    page.goto(site)
    say(page, 'A refund, please')
    page.get_by_text('Waits for a person to decide about: refund').wait_for()
    admin = browser.new_context().new_page()
    admin.goto(f'{site}/admin/syncai/approvalrequest/?status__exact=pending')
    admin.get_by_label('Username').fill('ada')
    admin.get_by_label('Password').fill('of a test')
    admin.get_by_role('button', name='Log in').click()
    admin.get_by_role('link', name='refund').first.click()
    admin.get_by_text('A refund, please').wait_for()
    admin.get_by_role('button', name=decision).click()
    admin.get_by_text('1 approved' if decision == 'Approve' else '1 denied').wait_for()
    admin.context.close()
    done = 'It is done: Refunded 20.00 of order 7.' if decision == 'Approve' else 'It is done: The call was denied'
    page.get_by_text(done).last.wait_for()
    assert 'Traceback' not in django.output


def test_the_application_of_the_guide_for_flask(
    page: Any, tmp_path: Path, variables: dict[str, str], model: ModelServer
) -> None:
    (tmp_path / 'app.py').write_text(code_under('flask.md', '`app.py`:'))
    command = ['gunicorn', '--chdir', str(tmp_path), '-k', 'gthread', '--threads', '8', '-b', '127.0.0.1:0', 'app:app']
    with Program(*command, log=tmp_path / 'log', **environment(**variables)) as program:
        program.serves(r'Listening at: http://127\.0\.0\.1:(\d+)')
        page.goto(f'http://127.0.0.1:{program.port}/')
        say(page, 'Hello')
        page.get_by_text(f'Good day {SCRIPT}').wait_for()
        say(page, 'And again')
        page.get_by_text('Good day').nth(1).wait_for()
        assert len(model.requests[-1].json['messages']) == 4  # instructions, and what was said before
        assert 'Traceback' not in program.output
