"""A chat of Flask whose conversations are in a file, as docs/flask.md shows it, with a tool that counts its calls."""

from __future__ import annotations

import os
from pathlib import Path

from flask import Flask

from syncai import Agent
from syncai.contrib.flask import chat_blueprint, init_app
from syncai.models.openai import OpenAIChatModel

FOLDER = Path(os.environ['KEPT_FOLDER'])
app = Flask(__name__)
app.config.update(SECRET_KEY='of a test', SYNCAI_STORE=f'sqlite:{FOLDER / "chats.db"}')
init_app(app)
agent = Agent(OpenAIChatModel('gpt-5.4-mini', base_url=os.environ['MODEL_URL'], api_key='key'))


@agent.tool_plain
def pay(order: int) -> str:
    """Pays once."""
    with (FOLDER / 'paid').open('a') as paid:
        paid.write(f'{order}\n')
    return f'paid {order}'


app.register_blueprint(chat_blueprint(agent, conversation=lambda chat: chat))
