"""A browser that looks at the console of a local stack."""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from console.browser import ARGUMENTS, OpenConsole, open_consoles
from playwright.sync_api import Browser, sync_playwright

if TYPE_CHECKING:
    from console.served import ServedConsole

    from local.stack import LocalStack

CHROMIUM = os.environ.get("CHROMIUM") or "/usr/bin/chromium"


@pytest.fixture(scope="session")
def served(local_stack: "LocalStack") -> Iterator["ServedConsole"]:
    """The console of the local stack."""
    from console.served import ServedConsole

    with ServedConsole(local_stack) as started:
        yield started


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, with a profile of its own that is deleted at the end."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture
def open_page(browser: Browser, served: "ServedConsole") -> Iterator[OpenConsole]:
    """Open a page of the console in a new tab. At the end, nothing may have gone wrong in it."""
    with open_consoles(browser, served.address, "/runs") as open_it:
        yield open_it
