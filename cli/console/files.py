"""The console's pages, as files of a folder."""

from http import HTTPStatus
from pathlib import Path
from typing import Final

from werkzeug.wrappers import Response

from cli.console.responses import not_found
from local.config import ROOT

FOLDER: Final = ROOT / "console"

INDEX: Final = "index.html"

CONTENT_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
}
"""By the ends of files' names. Other files are not served."""


def file_response(folder: Path, path: str) -> Response:
    """The file at a decoded path. Raises Refused for one that does not exist, or is outside of the folder."""
    names = (path.removeprefix("/") or INDEX).split("/")
    if any(name.startswith(".") or not name.isprintable() or set(name) & {"\\", ":"} for name in names):
        raise not_found()
    file = folder.joinpath(*names).resolve()
    content_type = CONTENT_TYPES.get(file.suffix)
    if content_type is None or not file.is_relative_to(folder.resolve()) or not file.is_file():
        raise not_found()
    return Response(file.read_bytes(), HTTPStatus.OK, content_type=content_type)
