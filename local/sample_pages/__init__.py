"""A few sample pages, served on loopback, so that everything works with no network."""

import time
from pathlib import Path

from flask import Flask, Response, send_from_directory

SLOW_SECONDS = 2.0
FOLDER = Path(__file__).parent


def names() -> list[str]:
    """The pages that there are."""
    return sorted(path.stem for path in FOLDER.glob("*.html"))


def app() -> Flask:
    """Serves /<name> for each page, a list of them at /, /long, which comes in pieces, and /slow."""
    flask = Flask(__name__, static_folder=None)

    @flask.get("/")
    def index() -> str:
        links = "".join(f'<li><a href="/{name}">{name}</a></li>' for name in names())
        return f"<!doctype html><title>Sample pages</title><ul>{links}</ul>"

    @flask.get("/long")
    def long() -> str:
        lines = (f"<p>Line {n} of a page that is too long to be read at once.</p>" for n in range(5000))
        return f"<!doctype html><title>A long page</title><main>{''.join(lines)}</main>"

    @flask.get("/slow")
    def slow() -> str:
        time.sleep(SLOW_SECONDS)
        return "<!doctype html><title>A slow page</title><p>It took its time.</p>"

    @flask.get("/<name>")
    def sample(name: str) -> Response:
        return send_from_directory(FOLDER, f"{name}.html")

    return flask
