"""A Flask application whose page is made with React and `useChat`: the blueprint of syncai is its endpoint."""

from __future__ import annotations

import os

from flask import Flask, Response, send_from_directory

from syncai import Agent
from syncai.contrib.flask import chat_blueprint, init_app

app = Flask(__name__)
app.config.update(SECRET_KEY='of a test', SYNCAI_MODEL='openai:m', SYNCAI_STORE=os.environ['STORE'])
init_app(app)
agent: Agent[None, str] = Agent(instructions='Be brief.')


@agent.tool_plain
def weather(city: str) -> str:
    """The weather in a city."""
    return f'Sunny in {city}'


@agent.tool_plain(approve=True)
def refund(order: int) -> str:
    """Pay the amount of an order back."""
    return f'Refunded order {order}'


app.register_blueprint(chat_blueprint(agent))


@app.get('/react/<major>')
def react(major: str) -> str:
    return f'<!doctype html><title>Chat</title><div id="root"></div><script src="/bundles/{major}.js"></script>'


@app.get('/bundles/<name>')
def bundle(name: str) -> Response:
    return send_from_directory(os.environ['BUNDLES'], name)
