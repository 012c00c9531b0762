"""Views whose conversations are kept: after each step, however the response ends, with decisions of the page."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from unittest import mock

from asgiref.sync import sync_to_async
from django.db import connection
from django.test import AsyncClient, SimpleTestCase, TestCase, TransactionTestCase, override_settings

from chat_site.agents import agent
from chat_site.suite_views import WithModel, body_of, close, events_of, text_of
from syncai import UserError
from syncai.contrib.django import DjangoStore, chat_view, stream_response
from syncai.contrib.django.models import ApprovalRequest, Conversation
from syncai.conversations import Last
from syncai.messages import ModelMessage, ModelRequest, UserPromptPart
from syncai.testing import Reply, ToolCall

SLOW = Reply('x', repeat=100_000, delay_between_events=0.01)
REFUND = Reply(tool_calls=[ToolCall('refund', {'order': 7}, 'call-7')])


def stored() -> list[ModelMessage]:
    return list(DjangoStore().load(Conversation.objects.get().name)[0])


def kinds(messages: list[ModelMessage]) -> list[str]:
    return [part.part_kind for message in messages for part in message.parts]


def decided(approved: bool, call: str = 'call-7', **more: Any) -> dict[str, Any]:
    """What `useChat` of AI SDK 6 posts after a decision; the input is what the page makes of it."""
    part: dict[str, Any] = {
        'type': 'tool-refund',
        'toolCallId': call,
        'state': 'approval-responded',
        'input': {'order': 8},
    }
    part['approval'] = {'id': call, 'approved': approved, **more}
    messages = [*body_of('Refund')['messages'], {'id': 'm1', 'role': 'assistant', 'parts': [part]}]
    return {'id': 'c1', 'messages': messages, 'trigger': 'submit-message', 'messageId': 'm1'}


def leave(response: Any) -> None:
    """What the ASGI handler of Django does for a client that left, but for the connections, which are of the test."""
    for closer in response._resource_closers:
        closer()


class Steps(WithModel, TestCase):
    def test_each_step_is_stored_while_the_next_one_goes_on(self) -> None:
        self.model.reply(Reply(tool_calls=[ToolCall('add_group', {'name': 'a'})]), SLOW)
        response = self.post('/kept/')
        seen = b''
        for piece in response.streaming_content:
            seen += piece
            if b'text-delta' in seen:
                break
        self.assertEqual(kinds(stored()), ['user-prompt', 'tool-call', 'tool-return'])
        close(response)
        self.assertTrue(stored()[-1].incomplete)  # type: ignore[union-attr]

    def test_of_two_writers_the_second_is_refused_and_the_first_stays(self) -> None:
        self.model.reply(Reply('One'), Reply('Late', delay_headers=0.3))
        self.post('/kept/').getvalue()
        name = Conversation.objects.get().name
        response = self.post('/kept/', 'Again')
        DjangoStore().append(name, 2, [ModelRequest([UserPromptPart('Elsewhere')])])
        events = events_of(response.getvalue())
        self.assertEqual(events[-1]['type'], 'error')
        self.assertIn('went on elsewhere', events[-1]['errorText'])
        self.assertEqual(kinds(stored()), ['user-prompt', 'text', 'user-prompt'])

    def test_keep_decides_what_is_sent(self) -> None:
        self.model.reply(*[Reply(str(n)) for n in range(3)])
        for _ in range(3):
            self.post('/last/').getvalue()
        self.assertEqual([len(request.json['messages']) for request in self.model.requests], [1, 1, 1])
        self.assertEqual(Conversation.objects.get().version, 6)

    def test_another_answer_takes_the_first_one_back(self) -> None:
        self.model.reply(Reply('One'), Reply('Two'))
        self.post('/kept/').getvalue()
        body = {**body_of('Hello'), 'trigger': 'regenerate-message', 'messageId': 'm1'}
        response = self.client.post('/kept/', body, content_type='application/json')
        self.assertEqual(text_of(events_of(response.getvalue())), 'Two')
        self.assertEqual(len(self.model.requests[1].json['messages']), 1)
        self.assertEqual(len(agent.conversation(Conversation.objects.get().name, store=DjangoStore()).messages()), 2)

    def test_a_conversation_of_ones_own_view(self) -> None:
        self.model.reply(Reply('One'), Reply('Two'), SLOW)
        for answer in (b'One', b'Two'):
            self.assertEqual(self.client.get('/own/?q=Hello').getvalue(), answer)
        response = self.client.get('/own/?q=Hello')
        next(iter(response.streaming_content))
        close(response)
        self.assertEqual(len(DjangoStore().load('own')[0]), 6)


class Decisions(WithModel, TestCase):
    """Calls that wait: the user decides in the page, or the staff in the admin."""

    def ask(self, body: Any, path: str = '/asks/') -> Any:
        return self.client.post(path, body, content_type='application/json')

    def test_the_page_approves_what_was_stored_and_nothing_else(self) -> None:
        self.model.reply(REFUND, Reply('Done'))
        events = events_of(self.ask(body_of('Refund')).getvalue())
        asked = next(event for event in events if event['type'] == 'tool-approval-request')
        self.assertEqual((asked['approvalId'], asked['toolCallId']), ('call-7', 'call-7'))
        self.assertEqual(self.ask(decided(True, 'another')).status_code, 409)
        events = events_of(self.ask(decided(True)).getvalue())
        output = next(event for event in events if event['type'] == 'tool-output-available')
        self.assertEqual((output['toolCallId'], output['output']), ('call-7', 'refunded 7'))
        self.assertNotIn('messageId', events[0])
        self.assertEqual(text_of(events), 'Done')
        self.assertEqual(self.ask(decided(True)).status_code, 409)  # it was made once

    def test_a_refusal_reaches_the_model(self) -> None:
        self.model.reply(REFUND, Reply('So be it'))
        self.ask(body_of('Refund')).getvalue()
        self.ask(decided(False, reason='too much')).getvalue()
        self.assertIn('too much', self.model.requests[1].json['messages'][-1]['content'])

    def test_what_is_asked_while_a_call_waits_is_refused_with_a_sentence(self) -> None:
        self.model.reply(REFUND)
        self.ask(body_of('Refund')).getvalue()
        for path in ('/asks/', '/own-asks/'):
            if path == '/own-asks/':
                self.model.reply(REFUND)
                self.ask(body_of('Refund'), path).getvalue()
            response = self.ask(body_of('And?'), path)
            self.assertEqual(response.status_code, 409, path)
            self.assertIn('waits for a decision about: refund', response.content.decode())

    def test_a_view_of_ones_own_takes_the_decisions_of_the_page(self) -> None:
        self.model.reply(REFUND, Reply('Done'))
        self.ask(body_of('Refund'), '/own-asks/').getvalue()
        self.assertEqual(self.ask(decided(True, 'another'), '/own-asks/').status_code, 409)
        self.assertEqual(text_of(events_of(self.ask(decided(True), '/own-asks/').getvalue())), 'Done')

    def test_the_staff_decides_and_the_page_does_not(self) -> None:
        self.model.reply(REFUND, Reply('Done'), Reply('Welcome'))
        self.ask(body_of('Refund'), '/kept/').getvalue()
        self.assertEqual(self.ask(decided(True), '/kept/').status_code, 409)
        ApprovalRequest.objects.get().approve(by='ada')
        # What the user writes beside it is answered behind the call.
        self.assertEqual(text_of(events_of(self.ask(body_of('Thanks'), '/kept/').getvalue())), 'Welcome')
        outputs = [part.content for m in stored() for part in m.parts if part.part_kind == 'tool-return']
        self.assertEqual(outputs, ['refunded 7'])

    def test_a_call_that_is_taken_back_waits_for_nobody(self) -> None:
        self.model.reply(REFUND, Reply('Hello'))
        self.ask(body_of('Refund'), '/kept/').getvalue()
        self.ask({**body_of('Refund'), 'trigger': 'regenerate-message'}, '/kept/').getvalue()
        self.assertIsNotNone(ApprovalRequest.objects.get().resumed_at)


class KeptByAsgi(WithModel, TransactionTestCase):
    """The same under an async client, as ASGI servers ask."""

    async def post_async(self, path: str, body: Any) -> Any:
        return await AsyncClient().post(path, json.dumps(body), content_type='application/json')

    async def read(self, response: Any) -> bytes:
        return b''.join([piece async for piece in response.streaming_content])

    async def test_what_was_left_early_is_kept_as_incomplete(self) -> None:
        for path in ('/kept/', '/own/?q=Hello', '/own-later/?q=Hello'):
            self.model.reply(SLOW)
            response = await (self.post_async(path, body_of('Hello')) if path == '/kept/' else AsyncClient().get(path))
            pieces = aiter(response.streaming_content)
            for _ in range(3):
                await anext(pieces)
            await sync_to_async(leave)(response)
            while not await Conversation.objects.aexists():
                await asyncio.sleep(0.01)
            name = (await Conversation.objects.aget()).name
            messages, _version = await sync_to_async(DjangoStore().load)(name)
            self.assertEqual([message.kind for message in messages], ['request', 'response'], path)
            self.assertTrue(messages[1].incomplete, path)  # type: ignore[union-attr]
            await Conversation.objects.all().adelete()

    async def test_steps_are_stored_on_the_connection_of_the_request(self) -> None:
        self.model.reply(REFUND, Reply('Done'))
        await self.read(await self.post_async('/own-asks/', body_of('Refund')))
        response = await self.post_async('/own-asks/', body_of('And?'))
        self.assertEqual(response.status_code, 409)
        self.assertEqual(
            text_of(events_of(await self.read(await self.post_async('/own-asks/', decided(True))))), 'Done'
        )

    async def test_an_async_view_answers_by_an_event_what_a_sync_one_answers_by_a_status(self) -> None:
        self.model.reply(REFUND)
        self.assertIn(b'[paused]', await self.read(await AsyncClient().get('/own-later/?q=Refund')))
        said = await self.read(await AsyncClient().get('/own-later/?q=And'))
        self.assertEqual(said, b'[refused] This conversation waits for a decision about: refund.')


class Mistakes(TestCase):
    """A line when the view is made, and not at the first request."""

    def test_options(self) -> None:
        for options, line in (
            ({'keepalve': 3}, "chat_view: There is no option 'keepalve'. Did you mean 'keepalive'?"),
            ({'keepalive': 0}, 'keepalive must be a number of seconds above 0'),
            ({'keep': 20}, 'keep must be Last(count), Fit(share) or None, not 20'),
            ({'save': 'always'}, "save must be one of 'step', 'end'"),
            ({'on_open': 'ask'}, "on_open must be one of 'run', 'drop', 'error'"),
            ({'form': 'aisdk'}, "form must be one of 'ai-sdk'"),
            ({'atomic': 1.5}, 'atomic must be True, False or the alias'),
            ({'message_history': []}, 'chat_view has the history of its store or of the page'),
            ({'timeout': 'soon'}, 'timeout'),
            ({'on_finish': 'store'}, 'on_finish must be a function'),
        ):
            with self.subTest(line), self.assertRaises(UserError) as caught:
                chat_view(agent, **options)
            self.assertIn(line, str(caught.exception))
            self.assertNotIn('\n', str(caught.exception))
        with self.assertRaisesMessage(
            UserError, 'chat_view takes an Agent, not Conversation: stores are given by store='
        ):
            chat_view(agent.conversation('a'))  # type: ignore[arg-type]
        self.assertTrue(callable(chat_view(agent, keep=Last(3), timeout=5, usage_limits=None)))


class AtomicRequests(WithModel, TransactionTestCase):
    """https://docs.djangoproject.com/en/stable/topics/db/transactions/#tying-transactions-to-http-requests"""

    databases = ('default', 'other')  # which share their settings

    def test_the_transaction_of_the_view_is_over_when_the_body_streams(self) -> None:
        for path, atomic in (('/kept/', 'False'), ('/atomic/', 'True')):
            call = Reply(tool_calls=[ToolCall('add_group', {'name': path})], delay_headers=0.2)
            self.model.reply(call, Reply('Done'))
            with mock.patch.dict(connection.settings_dict, ATOMIC_REQUESTS=True):
                events = events_of(self.post(path).getvalue())
            output = next(event['output'] for event in events if event['type'] == 'tool-output-available')
            self.assertEqual(output.split()[1], atomic, path)
        self.assertEqual(kinds(stored()), ['user-prompt', 'tool-call', 'tool-return', 'text'])


class Uninstalled(SimpleTestCase):
    def test_the_application_must_be_one_of_the_project(self) -> None:
        missing = mock.patch('django.apps.apps.is_installed', return_value=False)
        with missing, self.assertRaisesMessage(UserError, "Add 'syncai.contrib.django' to INSTALLED_APPS"):
            chat_view(agent)

    def test_a_request_that_is_none(self) -> None:
        line = 'stream_response(request, agent, prompt) takes the request first, not Agent'
        with self.assertRaisesMessage(UserError, line):
            stream_response(agent, 'Hello')  # type: ignore[arg-type]

    @override_settings(DATA_UPLOAD_MAX_MEMORY_SIZE=100)
    def test_a_body_that_django_does_not_read_is_a_sentence(self) -> None:
        response = self.client.post('/chat/', body_of('x' * 200), content_type='application/json')
        self.assertEqual(
            (response.status_code, response.content), (413, b'This message is too large: 100 bytes at most.')
        )
