"""The chats of docs/apps.md in the libraries themselves: each streams its answer, and knows what was said before."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from guide import ROOT, code_under
from serving import only_in_make_places

from syncai.testing import ModelServer, Reply

only_in_make_places()

STARTS = {
    'streamlit_chat.py': 'streamlit run streamlit_chat.py',
    'gradio_chat.py': 'python gradio_chat.py',
    'panel_chat.py': 'panel serve panel_chat.py',
    'marimo_chat.py': 'marimo run marimo_chat.py',
}
# How each library drives a page without a browser; each program prints what the page shows, as JSON.
STREAMLIT = """
from streamlit.testing.v1 import AppTest  # https://docs.streamlit.io/develop/api-reference/app-testing

page = AppTest.from_file('streamlit_chat.py', default_timeout=40).run()
for prompt in ('Hello', 'And now?'):
    page.chat_input[0].set_value(prompt).run()
    assert not page.exception
shown = [message.markdown[0].value for message in page.chat_message]
"""
GRADIO = """
from gradio_client import Client  # https://www.gradio.app/docs/python-client/client
from gradio_chat import page

page.launch(prevent_thread_lock=True, quiet=True, server_name='127.0.0.1')
client = Client(page.local_url, verbose=False)
shown = []
for prompt in ('Hello', 'And now?'):
    job = client.submit(prompt, api_name='/respond')
    shown += [prompt, job.result(timeout=40)]
    if len(shown) == 2:
        assert len(job.outputs()) > 1, 'it did not stream'
page.close()
"""
PANEL = """
import asyncio
from panel_chat import page  # https://panel.holoviz.org/reference/chat/ChatInterface.html

async def main():
    for count, prompt in ((2, 'Hello'), (4, 'And now?')):
        page.send(prompt)
        while len(page.objects) < count or page._callback_state.value != 'idle':
            await asyncio.sleep(0.01)
    return [message.object for message in page.objects]

shown = asyncio.run(asyncio.wait_for(main(), 40))
"""
MARIMO = """
import asyncio
from marimo._ai._types import ChatMessage
from marimo._plugins.ui._impl.chat.chat import SendMessageRequest
from marimo_chat import app

page, messages = app.run()[1]['page'], []
for prompt in ('Hello', 'And now?'):
    messages.append(ChatMessage(role='user', content=prompt))
    chunks = []
    page._send_chat_message = lambda *, content, **more: chunks.append(content)
    asyncio.run(page._send_prompt(SendMessageRequest(messages=[*messages], config=None)))
    text = ''.join(chunk.get('delta', '') for chunk in chunks if chunk)
    messages.append(ChatMessage(role='assistant', content=text))
shown = [message.content for message in messages]
"""


def shown_by(driver: str, directory: Path, server: ModelServer) -> Any:
    """The texts on the page after two questions."""
    environment = {
        **os.environ,
        'PYTHONPATH': os.pathsep.join([str(directory), str(ROOT)]),
        'OPENAI_BASE_URL': server.base_url,
        'OPENAI_API_KEY': 'key',
        'GRADIO_ANALYTICS_ENABLED': 'False',
        'HOME': str(directory),
    }
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', f'{driver}\nimport json; print("shown:", json.dumps(shown))'],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.rpartition('shown:')[2])


@pytest.mark.parametrize(
    ('library', 'driver'),
    [('streamlit', STREAMLIT), ('gradio', GRADIO), ('panel', PANEL), ('marimo', MARIMO)],
    ids=['streamlit', 'gradio', 'panel', 'marimo'],
)
def test_a_chat(library: str, driver: str, tmp_path: Path) -> None:
    if importlib.util.find_spec(library) is None:
        pytest.skip(f'{library} is not installed (make places installs it)')
    name = f'{library}_chat.py'
    (tmp_path / name).write_text(code_under('apps.md', f'`{name}`, for `{STARTS[name]}`:'))
    answers = [Reply('Good ', 'day', delay_between_events=0.1), Reply('Still ', 'here')]
    with ModelServer(answers) as server:
        assert shown_by(textwrap.dedent(driver), tmp_path, server) == ['Hello', 'Good day', 'And now?', 'Still here']
        said = [(message['role'], message['content']) for message in server.requests[-1].json['messages']]
    assert said == [('user', 'Hello'), ('assistant', 'Good day'), ('user', 'And now?')]
    assert all(request.streams for request in server.requests)
