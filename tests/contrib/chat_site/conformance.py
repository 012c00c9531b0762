"""`DjangoStore` does what all stores of conversations do; run by pytest in a process that has Django's settings."""

from __future__ import annotations

from collections.abc import Iterator

import django
import pytest

django.setup()

from django.db import connections  # noqa: E402
from django.test.utils import (  # noqa: E402
    setup_databases,
    setup_test_environment,
    teardown_databases,
    teardown_test_environment,
)
from store_conformance import StoreConformance  # noqa: E402

from syncai.contrib.django import DjangoStore  # noqa: E402
from syncai.contrib.django.models import Blob, Conversation  # noqa: E402
from syncai.conversations import Store  # noqa: E402

__all__: list[str] = []


@pytest.fixture(scope='module')
def databases() -> Iterator[None]:
    setup_test_environment()
    config = setup_databases(verbosity=0, interactive=False)
    yield
    teardown_databases(config, verbosity=0)
    teardown_test_environment()


class TestDjangoStore(StoreConformance):
    @pytest.fixture(params=['default', 'other'])
    def store(self, request: pytest.FixtureRequest, databases: None) -> Iterator[Store]:
        yield DjangoStore(using=request.param)
        Conversation.objects.using(request.param).all().delete()
        Blob.objects.using(request.param).all().delete()

    def thread_ends(self) -> None:
        connections.close_all()
