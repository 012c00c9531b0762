"""The admin: transcripts that run nothing, and decisions."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import TestCase

from chat_site.messages import FILE, SCRIPT, paused, turn
from syncai.contrib.django import DjangoStore
from syncai.contrib.django.models import ApprovalRequest
from syncai.contrib.django.signals import approval_decided
from syncai.contrib.django.transcript import transcript
from syncai.messages import (
    ModelRequest,
    ModelResponse,
    RetryPromptPart,
    SystemPromptPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
)

CALLS = '/admin/syncai/approvalrequest/'


class Transcript(TestCase):
    def test_every_part_is_escaped(self) -> None:
        messages = [
            *turn([SCRIPT, FILE], SCRIPT),
            ModelRequest([SystemPromptPart(SCRIPT), ToolReturnPart(SCRIPT, SCRIPT, 'c'), RetryPromptPart(SCRIPT)]),
            ModelResponse([ThinkingPart(SCRIPT), ToolCallPart(SCRIPT, {'x': SCRIPT}), ToolCallPart('t', SCRIPT)]),
            ModelResponse([], model_name=SCRIPT, incomplete=True),
            *paused(text=SCRIPT),
        ]
        html = transcript(messages)
        self.assertNotIn('<script', html)
        self.assertGreaterEqual(html.count('&lt;script&gt;'), 9)
        self.assertIn('[file application/pdf, 70005 bytes]', html)

    def test_what_hides_is_shown(self) -> None:
        self.assertIn('\\u202e', transcript(turn('\u202eevil')))

    def test_of_a_long_conversation_the_end(self) -> None:
        html = transcript(turn() * 200)
        self.assertIn('200 earlier messages are not shown', html)


class Admin(TestCase):
    @classmethod
    def setUpTestData(cls) -> None:
        cls.ada = get_user_model().objects.create_superuser('ada')
        DjangoStore().append('chat-1', 0, turn(SCRIPT, SCRIPT))
        DjangoStore().append('chat-2', 0, paused(text=SCRIPT))

    def setUp(self) -> None:
        self.client.force_login(self.ada)

    def act(self, action: str) -> Any:
        keys = list(ApprovalRequest.objects.values_list('pk', flat=True))
        return self.client.post(CALLS, {'action': action, '_selected_action': keys}, follow=True)

    def test_pages_of_a_conversation(self) -> None:
        page = self.client.get('/admin/syncai/conversation/')
        self.assertContains(page, 'chat-1')
        page = self.client.get('/admin/syncai/conversation/chat-1/change/')
        self.assertContains(page, '&lt;script&gt;alert(1)')
        self.assertNotContains(page, SCRIPT)
        self.assertEqual(self.client.get('/admin/syncai/conversation/add/').status_code, 403)
        self.assertEqual(self.client.get('/admin/syncai/message/').status_code, 404)

    def test_the_page_of_a_call_shows_what_led_to_it(self) -> None:
        for path in (CALLS, f'{CALLS}{ApprovalRequest.objects.get().pk}/change/'):
            page = self.client.get(path)
            self.assertContains(page, 'above 10')
            self.assertNotContains(page, SCRIPT)
        self.assertContains(page, 'Refund order 7')

    def test_approve(self) -> None:
        seen = []

        def decided(request: ApprovalRequest, **_: Any) -> None:
            seen.append((request.status, request.decided_by))

        approval_decided.connect(decided)
        try:
            with self.captureOnCommitCallbacks(execute=True):
                page = self.act('approve')
        finally:
            approval_decided.disconnect(decided)
        self.assertContains(page, '1 approved')
        self.assertEqual(seen, [('approved', 'ada')])
        self.assertContains(self.act('deny'), '1 left as before: decided already')
        self.assertEqual(ApprovalRequest.objects.get().status, 'approved')

    def test_deny_with_a_reason(self) -> None:
        path = f'{CALLS}{ApprovalRequest.objects.get().pk}/change/'
        page = self.client.get(path)
        self.assertContains(page, 'name="approve-call"')
        page = self.client.post(path, {'note': 'Not above 100', 'deny-call': 'Deny'}, follow=True)
        self.assertContains(page, '1 denied')
        decision: Any = DjangoStore().decisions('chat-2')['c1']
        self.assertEqual(decision.reason, 'Not above 100')
        self.assertNotContains(self.client.get(path), 'name="approve-call"')

    def test_who_may_only_look_decides_nothing(self) -> None:
        bob = get_user_model().objects.create_user('bob', is_staff=True)
        bob.user_permissions.add(Permission.objects.get(codename='view_approvalrequest'))
        self.client.force_login(bob)
        self.act('approve')
        path = f'{CALLS}{ApprovalRequest.objects.get().pk}/change/'
        self.assertNotContains(self.client.get(path), 'name="approve-call"')
        self.assertEqual(self.client.post(path, {'approve-call': 'Approve'}).status_code, 403)
        self.assertEqual(ApprovalRequest.objects.get().status, 'pending')
