"""A Django site with one model, and a `TestCase` whose tools use it; run as a program, it runs that test."""

from __future__ import annotations

import asyncio
import sys
import threading
import unittest

import django
import pytest
from django.conf import settings

settings.configure(
    DATABASES={'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': ':memory:'}},
    INSTALLED_APPS=[],
    DEFAULT_AUTO_FIELD='django.db.models.AutoField',
    USE_TZ=True,
)
django.setup()

from django.db import connection, models, transaction  # noqa: E402
from django.test import TestCase  # noqa: E402
from django.test.runner import DiscoverRunner  # noqa: E402

from syncai.agent import Agent  # noqa: E402
from syncai.models.openai import OpenAIChatModel  # noqa: E402
from syncai.testing import ModelServer, Reply, ToolCall  # noqa: E402


class Customer(models.Model):  # type: ignore[misc]
    name = models.CharField(max_length=50)

    class Meta:
        app_label = 'shop'


agent: Agent[None, str] = Agent()


@agent.tool_plain
def add_customer(name: str) -> int:
    assert connection.in_atomic_block  # the transaction of the caller
    return int(Customer.objects.create(name=name).pk)


@agent.tool_plain
def count_customers() -> int:
    return int(Customer.objects.count())


@agent.tool_plain
def fail() -> None:
    raise ZeroDivisionError


@agent.system_prompt
def who() -> str:
    return 'Customers: ' + ', '.join(Customer.objects.values_list('name', flat=True))


@agent.result_validator
def check(data: str) -> str:
    return f'{data} ({Customer.objects.count()})'


class CustomerTest(TestCase):  # type: ignore[misc]
    def setUp(self) -> None:
        Customer.objects.create(name='Ada')

    def ask(self, *replies: Reply) -> str:
        with ModelServer(replies) as server:
            model = OpenAIChatModel('gpt-5.4-mini', base_url=server.base_url, api_key='key')
            answer = agent.run_sync('Add Grace and Alan.', model=model).data
            assert server.requests[0].json['messages'][0]['content'] == 'Customers: Ada'
            assert [m['content'] for m in server.requests[1].json['messages'][-3:]] == ['2', '3', '3']
            return answer

    def test_tools_see_the_transaction_of_the_test(self) -> None:
        calls = [
            ToolCall('add_customer', {'name': 'Grace'}, '1'),
            ToolCall('add_customer', {'name': 'Alan'}, '2'),
            ToolCall('count_customers', id='3'),
        ]
        assert self.ask(Reply(tool_calls=calls), Reply('Done')) == 'Done (3)'
        assert Customer.objects.count() == 3

    def test_a_failing_tool_rolls_back(self) -> None:
        calls = [ToolCall('add_customer', {'name': 'Grace'}, '1'), ToolCall('fail', id='2')]
        with (
            ModelServer([Reply(tool_calls=calls)]) as server,
            pytest.raises(ZeroDivisionError),
            transaction.atomic(),
        ):
            model = OpenAIChatModel('gpt-5.4-mini', base_url=server.base_url, api_key='key')
            agent.run_sync('Add Grace.', model=model)
        assert list(Customer.objects.values_list('name', flat=True)) == ['Ada']

    def test_nothing_of_the_other_tests_is_left(self) -> None:
        assert Customer.objects.count() == 1

    def test_inside_a_running_loop_the_orm_objects_as_it_should(self) -> None:
        """Django refuses its synchronous ORM in a coroutine, and so in the tools, which run in that thread."""
        from django.core.exceptions import SynchronousOnlyOperation

        async def main() -> None:
            with pytest.raises(SynchronousOnlyOperation):
                agent.run_sync('x', model='test')

        asyncio.run(main())


class Runner(DiscoverRunner):  # type: ignore[misc]
    def setup_databases(self, **options: object) -> object:
        old = super().setup_databases(**options)
        with connection.schema_editor() as editor:
            editor.create_model(Customer)
        return old


if __name__ == '__main__':
    runner = Runner(verbosity=0, interactive=False)
    old = runner.setup_databases()
    result = unittest.TextTestRunner().run(unittest.defaultTestLoader.loadTestsFromTestCase(CustomerTest))
    runner.teardown_databases(old)
    assert threading.active_count() <= 2  # this one and the loop
    sys.exit(0 if result.wasSuccessful() and result.testsRun == 4 else 1)
