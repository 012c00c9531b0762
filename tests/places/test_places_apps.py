"""The chats of docs/apps.md in the libraries themselves: each streams its answer, and knows what was said before."""

from __future__ import annotations

import importlib.util
import time
from pathlib import Path
from typing import Any

import pytest
from guide import code_under
from serving import only_in_make_places

from syncai.testing import ModelServer, Reply

only_in_make_places()

pytestmark = [
    pytest.mark.leaky('the libraries keep threads and loops of their own'),
    pytest.mark.filterwarnings('ignore'),  # theirs
]

SAID = ['user', 'assistant', 'user']


@pytest.fixture(autouse=True)
def two_answers(model_server: ModelServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('GRADIO_ANALYTICS_ENABLED', 'False')
    model_server.reply(Reply('Good ', 'day', delay_between_events=0.02), Reply('Still ', 'here'))


def program(name: str, directory: Path) -> Path:
    """A program of the page, as a user would copy it."""
    path = directory / name
    path.write_text(code_under('apps.md', rf'`{name}`, for `{STARTS[name]}`:'))
    return path


STARTS = {
    'streamlit_chat.py': 'streamlit run streamlit_chat.py',
    'gradio_chat.py': 'python gradio_chat.py',
    'panel_chat.py': 'panel serve panel_chat.py',
    'marimo_chat.py': 'marimo run marimo_chat.py',
}


def imported(name: str, directory: Path) -> Any:
    """The program as a module, which it takes for being imported."""
    spec = importlib.util.spec_from_file_location(name.removesuffix('.py'), program(name, directory))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def roles(server: ModelServer) -> list[str]:
    """Who said what, as the model last read it."""
    return [message['role'] for message in server.requests[-1].json['messages']]


def test_streamlit(model_server: ModelServer, tmp_path: Path) -> None:
    """https://docs.streamlit.io/develop/api-reference/app-testing"""
    testing: Any = pytest.importorskip('streamlit.testing.v1')
    page = testing.AppTest.from_file(str(program('streamlit_chat.py', tmp_path)), default_timeout=20).run()
    page.chat_input[0].set_value('Hello').run()
    assert not page.exception
    assert [(message.name, message.markdown[0].value) for message in page.chat_message] == [
        ('user', 'Hello'),
        ('assistant', 'Good day'),
    ]
    page.chat_input[0].set_value('And now?').run()
    assert page.chat_message[-1].markdown[0].value == 'Still here'
    assert roles(model_server) == SAID


def test_gradio(model_server: ModelServer, tmp_path: Path) -> None:
    """Served by Gradio, and asked by its own client: https://www.gradio.app/docs/python-client/client"""
    pytest.importorskip('gradio')
    client: Any = pytest.importorskip('gradio_client')
    page = imported('gradio_chat.py', tmp_path).page
    page.launch(prevent_thread_lock=True, quiet=True, server_name='127.0.0.1')
    try:
        chat = client.Client(page.local_url, verbose=False)
        job = chat.submit('Hello', api_name='/chat')
        assert job.result(timeout=20) == 'Good day'
        assert 'Good ' in job.outputs()  # before the rest had come
        assert chat.predict('And now?', api_name='/chat') == 'Still here'
        assert roles(model_server) == SAID
    finally:
        page.close()


def test_panel(model_server: ModelServer, tmp_path: Path) -> None:
    """https://panel.holoviz.org/reference/chat/ChatInterface.html"""
    pytest.importorskip('panel')
    page = imported('panel_chat.py', tmp_path).page
    page.send('Hello')
    assert last_of(page, 2) == 'Good day'
    page.send('And now?')
    assert last_of(page, 4) == 'Still here'
    assert roles(model_server) == SAID


def last_of(page: Any, count: int) -> str:
    """The last message, once there are that many and the callback has ended."""
    end = time.monotonic() + 20
    while time.monotonic() < end and (len(page.objects) < count or page._callback_state.value != 'idle'):
        time.sleep(0.01)
    return str(page.objects[-1].object)


async def test_marimo() -> None: ...
