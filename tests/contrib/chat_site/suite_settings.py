"""Settings, system checks and the doctor, in a project that Django runs."""

from __future__ import annotations

import io
import os
from typing import Any
from unittest import mock

from django.core import checks
from django.core.management import CommandError, call_command
from django.test import SimpleTestCase, TestCase, override_settings

from syncai import Agent, UserError
from syncai.limits import limits_in_force
from syncai.models import infer_model

SECURITY = 'django.middleware.security.SecurityMiddleware'
GZIP = 'django.middleware.gzip.GZipMiddleware'
COMMON = 'django.middleware.common.CommonMiddleware'


def said() -> list[tuple[str, str]]:
    return [(message.id, message.msg) for message in checks.run_checks(tags=['syncai'])]


class Settings(SimpleTestCase):
    def wrong(self, **settings: Any) -> list[str]:
        with override_settings(SYNCAI=settings):
            return [message for _, message in said()]

    def test_every_mistake_is_one_line(self) -> None:
        cases = {
            'MODLE': ('openai:gpt-5.4-mini', "SYNCAI['MODLE'] is unknown. Did you mean 'MODEL'?"),
            'model': ('openai:gpt-5.4-mini', "SYNCAI['model'] is unknown. Did you mean 'MODEL'?"),
            'MODEL': (7, "SYNCAI['MODEL'] must be a name like 'openai:gpt-5.4-mini' or a Model, not 7"),
            'FORM': ('sse', "SYNCAI['FORM'] must be one of 'ai-sdk', 'ag-ui', 'events', 'text', not 'sse'"),
            'KEEPALIVE': (0, "SYNCAI['KEEPALIVE'] must be a number of seconds above 0, not 0"),
            'ON_LEAVE': ('go', "SYNCAI['ON_LEAVE'] must be one of 'stop', 'finish', not 'go'"),
            'MAX_FILES': (True, "SYNCAI['MAX_FILES'] must be an integer above 0, not True"),
            'HTTP': ({'idle_timeout': -1}, 'HttpOptions.idle_timeout must be a number above 0, not -1'),
            'LIMITS': ({'opnai': {'max_concurrency': 1}}, "There is no provider 'opnai': did you mean 'openai'?"),
        }
        for key, (value, line) in cases.items():
            with self.subTest(key):
                lines = self.wrong(**{key: value})
                self.assertEqual(len(lines), 1)
                self.assertIn(line, lines[0])
                self.assertTrue(lines[0].startswith(f"SYNCAI['{key}']"))
                self.assertNotIn('\n', lines[0])

    def test_a_mistake_within_a_value_names_its_place(self) -> None:
        self.assertEqual(
            self.wrong(HTTP={'idle_timout': 5})[0],
            "SYNCAI['HTTP']['idle_timout'] is unknown. Did you mean 'idle_timeout'?",
        )
        lines = self.wrong(LIMITS={'openai': {'max_concurrency': 0}})
        self.assertIn("SYNCAI['LIMITS']['openai']['max_concurrency']", lines[0])

    def test_all_mistakes_are_shown_and_a_run_is_refused(self) -> None:
        with override_settings(SYNCAI={'MODLE': 1, 'FORM': 2}):
            self.assertEqual([code for code, _ in said()], ['syncai.E001'] * 2)
            with self.assertRaises(UserError) as caught:
                Agent().run_sync('x')
        self.assertEqual(len(str(caught.exception).splitlines()), 2)

    def test_it_must_be_a_dict(self) -> None:
        with override_settings(SYNCAI='openai:gpt-5.4-mini'):
            self.assertIn('SYNCAI must be a dict', said()[0][1])

    def test_they_hold_for_agents_models_and_limits(self) -> None:
        agent = Agent()
        self.assertTrue(agent.run_sync('x').data)  # the model of the project is `test`
        settings = {'HTTP': {'max_retries': 0}, 'LIMITS': {'openai': {'max_concurrency': 3}}}
        with override_settings(SYNCAI=settings), mock.patch.dict(os.environ, OPENAI_API_KEY='sk-1'):
            self.assertEqual(infer_model('openai:gpt-5.4-mini')._http.max_retries, 0)  # type: ignore[attr-defined]
            limits = limits_in_force['openai']
            self.assertEqual(limits.max_concurrency, 3)
        self.assertNotIn('openai', limits_in_force)
        self.assertTrue(agent.run_sync('x').data)


class Checks(SimpleTestCase):
    def test_a_missing_key_is_a_warning(self) -> None:
        with mock.patch.dict(os.environ, clear=True), override_settings(SYNCAI={'MODEL': 'openai:gpt-5.4-mini'}):
            ((code, text),) = said()
        self.assertEqual(code, 'syncai.W001')
        self.assertIn('OPENAI_API_KEY', text)

    def test_an_unknown_model(self) -> None:
        with override_settings(SYNCAI={'MODEL': 'opnai:gpt-5.4-mini'}):
            ((code, text),) = said()
        self.assertEqual(code, 'syncai.E002')
        self.assertIn("'openai'", text)
        near = override_settings(SYNCAI={'MODEL': 'openai:gpt-5.4-minni'})
        with near, mock.patch.dict(os.environ, OPENAI_API_KEY='sk-1'):
            ((code, text),) = said()
        self.assertEqual(code, 'syncai.W002')
        self.assertIn("Did you mean 'openai:gpt-5.4-mini'?", text)

    def test_the_order_of_gzip(self) -> None:
        for order, wrong in [([SECURITY, GZIP, COMMON], False), ([SECURITY, COMMON, GZIP], True), ([GZIP], False)]:
            with self.subTest(order), override_settings(MIDDLEWARE=order):
                self.assertEqual([code for code, _ in said()], ['syncai.W003'] if wrong else [])

    def test_a_sync_store_under_asgi(self) -> None:
        class Store:
            def append(self) -> None: ...

        for asgi, expected in [('site.asgi.application', ['syncai.W004']), (None, [])]:
            with override_settings(SYNCAI={'STORE': Store()}, ASGI_APPLICATION=asgi):
                self.assertEqual([code for code, _ in said()], expected)

    def test_a_project_in_order(self) -> None:
        self.assertEqual(said(), [])


class Doctor(TestCase):
    databases = '__all__'

    def report(self) -> str:
        out = io.StringIO()
        call_command('syncai_doctor', offline=True, stdout=out, no_color=True)
        return out.getvalue()

    def test_a_project_in_order(self) -> None:
        text = self.report()
        for line in ('ok Django ', 'model test', 'its tables are there', 'the system checks say nothing'):
            self.assertIn(line, text)

    def test_what_is_wrong_fails_and_shows_no_key(self) -> None:
        key = mock.patch.dict(os.environ, OPENAI_API_KEY='sk-very-secret')
        with key, override_settings(SYNCAI={'MODLE': 'x'}), self.assertRaises(CommandError):
            self.report()
        with key:
            self.assertNotIn('sk-very-secret', self.report())
