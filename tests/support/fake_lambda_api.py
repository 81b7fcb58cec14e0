"""Lambda's API on loopback: functions, and layers whose content can be downloaded."""

import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

from werkzeug.exceptions import RequestedRangeNotSatisfiable
from werkzeug.wrappers import Request, Response

from local.http_server import HttpServer

ARN = "arn:aws:lambda:us-east-1:123456789012:layer"


@dataclass
class FakeLambdaApi:
    """`functions` are what GetFunctionConfiguration returns, by name; `layers` are ZIP archives by `name:version`.

    `downloads` has the ranges that were requested of layers, and the numbers of bytes that were sent.
    """

    functions: Mapping[str, Mapping[str, Any]]
    layers: Mapping[str, bytes]
    supports_ranges: bool = True
    allows_layers: bool = True
    url: str = ""
    downloads: list[tuple[str, int]] = field(default_factory=list)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        """Handle a request (WSGI)."""
        request = Request(environ)
        return self._respond(request)(environ, start_response)

    def _respond(self, request: Request) -> Response:
        if found := re.fullmatch(r"/2015-03-31/functions/(.+)/configuration", request.path):
            return _json(self.functions[found[1]])
        if not self.allows_layers:
            return Response("{}", 403, {"x-amzn-errortype": "AccessDeniedException"})
        if found := re.fullmatch(rf"/2018-10-31/layers/{ARN}:(.+)/versions/(\d+)", request.path):
            return _json({"Content": {"Location": f"{self.url}/content/{found[1]}:{found[2]}"}})
        content = self.layers.get(request.path.removeprefix("/content/"))
        if content is None:
            return Response("<Error><Code>ExpiredToken</Code></Error>", 403)
        response = Response(content, content_type="application/zip")
        if self.supports_ranges:
            try:
                response.make_conditional(request, accept_ranges=True, complete_length=len(content))
            except RequestedRangeNotSatisfiable:
                return Response(status=416)
        self.downloads.append((request.headers.get("range", ""), response.content_length or 0))
        return response


@contextmanager
def fake_lambda_api(api: FakeLambdaApi) -> Iterator[FakeLambdaApi]:
    """Serve it."""
    with HttpServer(api) as server:
        api.url = server.url
        yield api


def function(*layers: str, runtime: str = "python3.13", architecture: str = "arm64") -> dict[str, Any]:
    """A function with layers, each as `name:version`."""
    arns = [{"Arn": f"{ARN}:{each}"} for each in layers]
    return {"Runtime": runtime, "Architectures": [architecture], "Layers": arns}


def archive(names: Iterable[str], padding: int = 0) -> bytes:
    """A ZIP archive of empty files, and one at its start with so many bytes."""
    file = io.BytesIO()
    with ZipFile(file, "w", ZIP_DEFLATED) as written:
        written.writestr("padding", bytes(padding), compress_type=0)
        for name in names:
            written.writestr(name, b"")
    return file.getvalue()


def _json(content: Mapping[str, Any]) -> Response:
    return Response(json.dumps(content), content_type="application/json")
