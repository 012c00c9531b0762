"""`DjangoStore`: in the caller's transaction, in any database of the project."""

from __future__ import annotations

import io
import threading
from datetime import timedelta
from typing import Any

from django.core.management import call_command
from django.db import connection, connections, transaction
from django.test import TestCase, TransactionTestCase
from django.utils import timezone

from chat_site.messages import FILE, paused, turn
from syncai import Agent, Approve, BinaryContent, Deny, PendingCall, RunPaused, UserError
from syncai.contrib.django import DjangoStore
from syncai.contrib.django.models import ApprovalRequest, Blob, Conversation, Message
from syncai.conversations import Store as Protocol
from syncai.exceptions import ConversationConflict
from syncai.messages import ModelRequest, ToolReturnPart
from syncai.models.test import TestModel


class Store(TestCase):
    def test_what_was_appended_is_loaded(self) -> None:
        store = DjangoStore()
        self.assertEqual(store.load('a'), ([], 0))
        version = store.append('a', 0, turn())
        version = store.append('a', version, turn('\0 and \ud800', 'Ünï \u202e'))
        messages, loaded = store.load('a')
        self.assertEqual(loaded, version)
        self.assertEqual([message.kind for message in messages], ['request', 'response'] * 2)
        self.assertEqual([m.parts[0].content for m in messages][:2], ['Hello', 'Good day'])  # type: ignore[union-attr]
        self.assertEqual(messages[3].parts[0].content, 'Ünï \u202e')  # type: ignore[union-attr]

    def test_an_old_version_is_a_conflict_and_loses_nothing(self) -> None:
        store = DjangoStore()
        for old in (0, 1, 4):
            with self.subTest(old):
                version = store.append(f'a{old}', 0, turn())
                with self.assertRaises(ConversationConflict) as caught:
                    store.append(f'a{old}', old, turn('Other'))
                self.assertEqual((caught.exception.id, caught.exception.version), (f'a{old}', old))
                self.assertEqual(store.append(f'a{old}', version, turn()), 4)  # the transaction goes on

    def test_a_long_file_is_kept_once_and_comes_back(self) -> None:
        store = DjangoStore()
        for name in ('a', 'b'):
            store.append(name, 0, turn(['See', FILE]))
        self.assertEqual(Blob.objects.count(), 1)
        self.assertLess(len(Message.objects.first().body), 2000)
        content: Any = store.load('a')[0][0].parts[0].content  # type: ignore[union-attr]
        self.assertIsInstance(content[1], BinaryContent)
        self.assertEqual((content[1].data, content[1].media_type), (FILE.data, 'application/pdf'))
        store.delete('a')
        self.assertEqual(Blob.objects.count(), 1)
        store.delete('b')
        self.assertEqual((Blob.objects.count(), Conversation.objects.count(), Message.objects.count()), (0, 0, 0))
        store.delete('b')  # is gone, and nothing happens

    def test_lists(self) -> None:
        store = DjangoStore()
        for name in ('user-1', 'user-2', 'guest-1', 'User-3'):
            store.append(name, 0, turn())
        self.assertEqual(store.list(prefix='%'), [])
        with self.assertRaises(UserError):
            store.list(limit=0)
        self.assertEqual(store.list(prefix='user-'), ['user-2', 'user-1'])
        self.assertEqual(len(store.list(limit=2)), 2)

    def test_a_newer_format_is_refused(self) -> None:
        DjangoStore().append('a', 0, turn())
        Message.objects.update(body='{"format": 99, "message": {}}')
        with self.assertRaisesMessage(UserError, 'has the format 99 of a newer version of syncai'):
            DjangoStore().load('a')

    def test_wrong_ids_and_databases(self) -> None:
        for wrong in ('', 'x' * 256, 7, 'a\0', '\ud800'):
            with self.subTest(wrong), self.assertRaisesMessage(UserError, '1 to 255 characters'):
                DjangoStore().load(wrong)  # type: ignore[arg-type]
        with self.assertRaisesMessage(UserError, "('default', 'other')"):
            DjangoStore(using='elsewhere')

    def test_it_belongs_to_the_transaction_of_the_caller(self) -> None:
        with self.assertRaises(ZeroDivisionError), transaction.atomic():
            DjangoStore().append('a', 0, turn())
            raise ZeroDivisionError
        self.assertEqual(DjangoStore().load('a'), ([], 0))

    def test_load_asks_two_queries(self) -> None:
        DjangoStore().append('a', 0, turn() * 20)
        with self.assertNumQueries(2):
            DjangoStore().load('a')


class SeveralDatabases(TestCase):
    databases = ('default', 'other')

    def test_using(self) -> None:
        other = DjangoStore(using='other')
        other.append('a', 0, turn([FILE]))
        version = other.append('b', 0, paused())
        ApprovalRequest.objects.using('other').get().approve()
        self.assertEqual(list(other.decisions('b')), ['c1'])
        other.append('b', version, turn())
        self.assertEqual(other.decisions('b'), {})
        self.assertEqual(DjangoStore().load('a'), ([], 0))
        self.assertEqual(Conversation.objects.using('default').count(), 0)
        other.delete('a')
        self.assertEqual(other.list(), ['b'])


class Approvals(TestCase):
    def test_calls_that_wait_become_rows_and_decisions(self) -> None:
        store = DjangoStore()
        version = store.append('a', 0, paused())
        row = ApprovalRequest.objects.get()
        self.assertEqual((row.tool_name, row.args, row.reason), ('refund', {'order': 7, 'amount': 20.0}, 'above 10'))
        self.assertEqual(store.decisions('a'), {})
        self.assertTrue(row.approve(by='ada'))
        self.assertFalse(row.deny('no', by='bob'))  # the first one counts
        waiting: Any = paused()[-1]
        self.assertEqual(store.decisions('a'), {'c1': Approve(args_hash=waiting.pending[0].args_hash)})
        store.append('a', version, turn())
        self.assertIsNotNone(ApprovalRequest.objects.get().resumed_at)
        self.assertEqual(store.decisions('a'), {})

    def test_a_call_whose_id_comes_again_waits_again(self) -> None:
        store = DjangoStore()
        version = store.append('a', 0, paused())
        ApprovalRequest.objects.get().deny('Not today')
        self.assertIsInstance(store.decisions('a')['c1'], Deny)
        version = store.append('a', version, turn())
        store.append('a', version, paused(order=8, amount=1.0))
        self.assertEqual(ApprovalRequest.objects.filter(resumed_at=None).get().args['order'], 8)

    def test_a_return_that_is_stored_leaves_the_other_calls_waiting(self) -> None:
        store = DjangoStore()
        calls = tuple(PendingCall(name, 'refund', {'order': 7}) for name in ('c1', 'c2'))
        version = store.append('a', 0, [*paused()[:2], ModelRequest([], pending=calls)])
        for row in ApprovalRequest.objects.all():
            row.approve()
        version = store.append('a', version, [ModelRequest([ToolReturnPart('refund', 'done', 'c1')])])
        self.assertEqual(list(store.decisions('a')), ['c2'])
        store.append('a', version, [ModelRequest([ToolReturnPart('refund', 'done', 'c2')]), turn()[1]])
        self.assertEqual(store.decisions('a'), {})

    def test_odd_details(self) -> None:
        store = DjangoStore()
        store.append('a', 0, paused(amount=float('nan'), text='\0'))
        self.assertEqual(ApprovalRequest.objects.get().args, {'amount': 'NaN', 'text': '\ufffd'})


class Conversations(TestCase):
    """`agent.conversation`, which keeps more than prompts and answers in a log."""

    def test_it_pauses_and_goes_on_with_what_the_admin_decided(self) -> None:
        agent: Agent[None, str] = Agent(TestModel(custom_result_text='Done'))
        paid: list[int] = []
        agent.tool_plain(approve=True)(paid.append)
        chat = agent.conversation('a', store=DjangoStore())
        with self.assertRaises(RunPaused):
            chat.run_sync('Pay')
        ApprovalRequest.objects.get().approve()
        self.assertEqual(chat.resume_sync(DjangoStore().decisions('a')).data, 'Done')
        self.assertEqual(len(paid), 1)
        self.assertEqual(DjangoStore().decisions('a'), {})
        self.assertIsInstance(DjangoStore(), Protocol)

    def test_a_decision_is_bound_to_the_call_and_its_arguments(self) -> None:
        """A program that can write rows of messages cannot have another call made with what a person has approved."""
        paid: list[int] = []

        def pay(euros: int) -> None:
            paid.append(euros)

        agent: Agent[None, str] = Agent(TestModel(custom_result_text='Done'))
        agent.tool_plain(approve=True)(pay)
        chat = agent.conversation('a', store=DjangoStore())
        with self.assertRaises(RunPaused):
            chat.run_sync('Pay')
        row = ApprovalRequest.objects.get()
        row.approve()
        self.assertEqual(row.args_hash, chat.pending()[0].args_hash)
        for message in Message.objects.all():
            Message.objects.filter(pk=message.pk).update(body=message.body.replace('"euros":0', '"euros":5000'))
        self.assertEqual(chat.pending()[0].args, {'euros': 5000})
        decisions = DjangoStore().decisions('a')
        with self.assertRaisesMessage(UserError, 'other arguments'):
            chat.resume_sync(decisions)
        with self.assertRaisesMessage(UserError, 'do not wait'):
            chat.resume_sync({'another call': decisions[row.call_id]})
        self.assertEqual(paid, [])


class Cleanup(TestCase):
    def run_it(self, *options: str) -> str:
        out = io.StringIO()
        call_command('syncai_cleanup', *options, stdout=out)
        return out.getvalue()

    def test_by_age(self) -> None:
        store = DjangoStore()
        for name, messages in (('old', turn([FILE])), ('waits', paused()), ('new', turn())):
            store.append(name, 0, messages)
        long_ago = timezone.now() - timedelta(days=31)
        Conversation.objects.filter(name__in=['old', 'waits']).update(updated_at=long_ago)
        self.assertIn('1 conversations would be removed', self.run_it('--days', '30', '--dry-run'))
        self.assertIn('1 conversations', self.run_it('--days', '30'))
        self.assertEqual(set(store.list()), {'new', 'waits'})
        self.assertEqual(Blob.objects.count(), 0)
        self.run_it('--days', '30', '--waiting', '--prefix', 'w')
        self.assertEqual(store.list(), ['new'])


def outcome_of(chat: Any, decisions: Any) -> str:
    """How a run that goes on has ended."""
    try:
        chat.resume_sync(decisions)
    except ConversationConflict:
        return 'conflict'
    except UserError:  # the other was done before this one began
        return 'nothing waits'
    return 'done'


class Committed(TransactionTestCase):
    def test_two_admins_approve_at_once_and_the_call_is_made_once(self) -> None:
        """Each decides, and each lets the conversation go on, in a connection of their own."""
        if connection.vendor == 'sqlite':
            self.skipTest('a database in memory has one writer; the places run this on PostgreSQL')
        paid: list[str] = []

        def pay() -> str:
            paid.append('paid')
            return 'paid'

        agent: Agent[None, str] = Agent(TestModel(custom_result_text='Done'))
        agent.tool_plain(approve=True)(pay)
        with self.assertRaises(RunPaused):
            agent.conversation('a', store=DjangoStore()).run_sync('Pay')
        meet = threading.Barrier(2)
        decided: list[bool] = []
        ended: list[str] = []

        def decide(name: str) -> None:
            row = ApprovalRequest.objects.get()
            meet.wait(20)
            decided.append(row.approve(by=name))
            decisions = DjangoStore().decisions('a')
            meet.wait(20)
            ended.append(outcome_of(agent.conversation('a', store=DjangoStore()), decisions))
            connections.close_all()

        threads = [threading.Thread(target=decide, args=(name,)) for name in ('ada', 'bob')]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(decided), [False, True])
        self.assertEqual(paid, ['paid'])
        self.assertEqual(ended.count('done'), 1)
        self.assertEqual(len(ended), 2)

    def test_two_connections_write_one_conversation(self) -> None:
        """Sixteen threads, each with a connection: one writer of a version wins, and the log stays whole."""
        if connection.vendor == 'sqlite':
            self.skipTest('a database in memory has one writer; the places run this on PostgreSQL')
        store, outcomes = DjangoStore(), []

        def write(number: int) -> None:
            try:
                for _ in range(10):
                    _, version = store.load('a')
                    try:
                        store.append('a', version, turn(str(number)))
                        outcomes.append(True)
                    except ConversationConflict:
                        outcomes.append(False)
            finally:
                connections.close_all()

        threads = [threading.Thread(target=write, args=(number,)) for number in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        messages, version = store.load('a')
        self.assertEqual(len(outcomes), 160)
        self.assertEqual(version, 2 * outcomes.count(True))
        self.assertEqual([message.kind for message in messages], ['request', 'response'] * (version // 2))
