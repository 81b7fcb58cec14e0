"""Pages of a test's own that the tool `fetch` may reach."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from werkzeug.wrappers import Request, Response

from local.http_server import HttpServer
from local.stack import LocalStack
from support.function_changes import function_changes

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

TIMEOUT_SECONDS = 60


class SlowPage:
    """A page whose server responds when the test says so."""

    def __init__(self) -> None:
        self.url = ""
        self._requested, self._responding = threading.Event(), threading.Event()

    def wait_for_request(self) -> None:
        """Wait until the page is requested."""
        assert self._requested.wait(TIMEOUT_SECONDS), "nobody requests the page"

    def respond(self) -> None:
        """Let the server respond, now and from now on."""
        self._responding.set()

    def get(self) -> str:
        """The page, as soon as the server may respond."""
        self._requested.set()
        self._responding.wait(TIMEOUT_SECONDS)
        return "<!doctype html><title>A slow page</title><p>It took its time.</p>"


@contextmanager
def served_page(local_stack: LocalStack, html: str) -> Iterator[str]:
    """Serve a page at the URL that is returned."""

    @Request.application
    def app(_: Request) -> Response:
        return Response(html, content_type="text/html")

    with _served(local_stack, app) as url:
        yield url


@contextmanager
def slow_page(local_stack: LocalStack) -> Iterator[SlowPage]:
    """Serve a page that is slow."""
    page = SlowPage()

    @Request.application
    def app(_: Request) -> Response:
        return Response(page.get(), content_type="text/html")

    with _served(local_stack, app) as page.url:
        yield page
        page.respond()


@contextmanager
def _served(local_stack: LocalStack, app: "WSGIApplication") -> Iterator[str]:
    server = HttpServer(app)
    try:
        with function_changes(local_stack, "FetchFunction", exempt_hosts=(server.host,)):
            yield f"{server.url}/"
    finally:
        server.stop()
