"""A browser that looks at the console of a local stack."""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from console.browser import ARGUMENTS, Console, OpenConsole, open_console
from console.double import ConsoleDouble
from playwright.sync_api import Browser, sync_playwright

from local.http_server import HttpServer

if TYPE_CHECKING:
    from local.stack import LocalStack
    from upcall.aws.run_repository import DynamoDBRunRepository

CHROMIUM = os.environ.get("CHROMIUM") or "/usr/bin/chromium"


@pytest.fixture(scope="session")
def double(local_stack: "LocalStack", repository: "DynamoDBRunRepository") -> ConsoleDouble:
    """What answers the browser."""
    return ConsoleDouble(local_stack, repository)


@pytest.fixture(scope="session")
def address(double: ConsoleDouble) -> Iterator[str]:
    """Where the console is served."""
    with HttpServer(double) as server:
        yield server.url


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, with a profile of its own that is deleted at the end."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture
def open_page(browser: Browser, address: str) -> Iterator[OpenConsole]:
    """Open a page of the console in a new tab. At the end, nothing may have gone wrong in it."""
    opened: list[Console] = []

    def open_it(path: str = "/runs", **options: Any) -> Console:
        console = open_console(browser, address, path, **options)
        opened.append(console)
        return console

    yield open_it
    for console in opened:
        console.close()
        assert console.problems == []
