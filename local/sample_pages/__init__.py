"""A few pages to summarise, served on loopback, so that a run needs no network."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

from werkzeug.wrappers import Request, Response

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

SLOW_SECONDS = 2.0
FOLDER = Path(__file__).parent


def page_names() -> list[str]:
    """The names of the pages."""
    return sorted(path.stem for path in FOLDER.glob("*.html"))


def create_app() -> "WSGIApplication":
    """A server of /<name> for each page, an index at /, /long, which is read in parts, and /slow.

    It is not built on Flask, whose import would take a tenth of the time of `upcall tool`.
    """

    @Request.application
    def app(request: Request) -> Response:
        html = _render(request.path.removeprefix("/"))
        if html is None:
            return Response("There is no such page.", 404)
        return Response(html, content_type="text/html; charset=utf-8")

    return app


def _render(name: str) -> str | None:
    if name == "":
        links = "".join(f'<li><a href="/{each}">{each}</a></li>' for each in page_names())
        return f"<!doctype html><title>Sample pages</title><ul>{links}</ul>"
    if name == "long":
        lines = (f"<p>Line {n} of a page that is too long to be read at once.</p>" for n in range(5000))
        return f"<!doctype html><title>A long page</title><main>{''.join(lines)}</main>"
    if name == "slow":
        time.sleep(SLOW_SECONDS)
        return "<!doctype html><title>A slow page</title><p>It took its time.</p>"
    return (FOLDER / f"{name}.html").read_text("utf-8") if name in page_names() else None
