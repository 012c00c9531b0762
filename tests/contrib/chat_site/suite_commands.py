"""`manage.py syncai_chat`, with what a person types."""

from __future__ import annotations

import io
from typing import Any
from unittest import mock

from django.core.management import CommandError, call_command
from django.test import TestCase

from chat_site.agents import agent
from chat_site.suite_views import WithModel
from syncai.contrib.django import DjangoStore
from syncai.contrib.django.models import ApprovalRequest
from syncai.testing import Reply, ToolCall


class Chat(WithModel, TestCase):
    def type(self, *lines: str, **options: Any) -> str:
        out = io.StringIO()
        with mock.patch('builtins.input', side_effect=[*lines, EOFError, EOFError]):
            call_command('syncai_chat', agent='chat_site.agents:agent', stdout=out, stderr=out, **options)
        return out.getvalue()

    def test_it_goes_on_where_it_was(self) -> None:
        self.model.reply(Reply('I am ', 'Ada'), Reply('Ada \x1b[2J'))
        self.assertIn('I am Ada', self.type('Who are you?'))
        self.assertIn('Ada \\x1b[2J', self.type('Your name?'))  # the terminal is left alone
        self.assertEqual(len(self.model.requests[1].json['messages']), 3)
        self.assertEqual(DjangoStore().load('terminal')[1], 4)

    def test_a_decision_of_the_admin_goes_before_the_prompt(self) -> None:
        self.model.reply(Reply(tool_calls=[ToolCall('refund', {'order': 7})]), Reply('It is paid'), Reply('Welcome'))
        self.assertIn('waits', self.type('Refund 7'))  # nobody is asked: the input has ended
        with self.assertRaisesMessage(CommandError, 'refund waits for a decision in the admin'):
            self.type('And?')
        ApprovalRequest.objects.get().approve()
        written = self.type('Thanks')
        self.assertLess(written.index('It is paid'), written.index('Welcome'))
        self.assertEqual(len(self.model.requests), 3)

    def test_an_error_ends_an_answer_and_not_the_chat(self) -> None:
        self.model.reply(Reply(status=400), Reply('Good day'))
        self.assertIn('Good day', self.type('One', 'Two', conversation='other'))

    def test_an_agent_that_is_not_there(self) -> None:
        for wrong in ('chat_site.agents:nobody', 'nowhere:agent', 'chat_site.agents:add_group'):
            with self.subTest(wrong), self.assertRaises(CommandError):
                call_command('syncai_chat', agent=wrong)
        self.assertIsNotNone(agent)
