"""The receiver of messages to the operator's webhook: it writes each to a file."""

from pathlib import Path
from typing import TYPE_CHECKING

from werkzeug.wrappers import Request, Response

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def create_app(file: Path) -> "WSGIApplication":
    """A server that appends the body of each POST to a file, one JSON document a line."""

    @Request.application
    def app(request: Request) -> Response:
        if request.method != "POST":
            return Response("Post a message.", 405)
        with file.open("ab") as messages:
            messages.write(request.get_data().replace(b"\n", b" ") + b"\n")
        return Response(status=204)

    return app
