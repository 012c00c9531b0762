"""Debian's Chromium, driven by Playwright, whose own browsers are never downloaded."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which('chromium') or shutil.which('chromium-browser')
FLAGS = [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-dev-shm-usage',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
]
_WATCH = """selector => {
    window.seen = [];
    const note = () => {
        const text = [...document.querySelectorAll(selector)].at(-1)?.textContent.trim();
        if (text && text !== window.seen.at(-1)?.[1]) window.seen.push([performance.now(), text]);
    };
    new MutationObserver(note).observe(document.body, { childList: true, subtree: true, characterData: true });
}"""


def only_with_chromium() -> Any:
    """The module of Playwright; skips the tests if it or Chromium is absent."""
    sync_api = pytest.importorskip('playwright.sync_api', reason='the browser tests need the package playwright')
    if CHROMIUM is None:
        pytest.skip('the browser tests need Chromium (apt-get install chromium)', allow_module_level=True)
    return sync_api


@pytest.fixture(scope='module')
def browser() -> Iterator[Browser]:
    """One browser for all tests of a module."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


def watch(page: Page, selector: str) -> None:
    """Record from now on each change of the text of the last such element, by the clock of the page."""
    page.evaluate(_WATCH, selector)


def watched(page: Page) -> list[tuple[float, str]]:
    """The texts that were noted, each with the milliseconds at which it appeared."""
    return [(time, text) for time, text in page.evaluate('window.seen')]
