"""A chat in Flask: the application of docs/flask.md."""

from flask import Flask

from syncai import Agent
from syncai.contrib.flask import chat_blueprint, init_app

app = Flask(__name__)
app.config.update(SECRET_KEY='for this example alone', SYNCAI_MODEL='openai:gpt-5.4-mini')
app.config['SYNCAI_STORE'] = 'sqlite:chats.db'
init_app(app)
agent = Agent(instructions='Be brief.')
app.register_blueprint(chat_blueprint(agent))
