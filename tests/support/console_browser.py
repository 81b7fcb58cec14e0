"""A browser that shows the console, as far as requests go."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx

from cli.console.files import FOLDER
from cli.console.request_checks import TOKEN_HEADER
from cli.console.server import ConsoleServer
from cli.console.stack import ConsoleStack


@dataclass(frozen=True)
class Browser:
    """Sends requests to a console server, with the token in its address unless they are said to have none."""

    server: ConsoleServer

    @property
    def token(self) -> str:
        """The token in the address."""
        return self.server.address.partition("#token=")[2]

    def send(
        self, method: str, path: str, *, token: str | None = None, headers: Any = None, **options: Any
    ) -> httpx.Response:
        """The response to a request. An empty token is none."""
        given = self.token if token is None else token
        with httpx.Client(base_url=self.server.url, timeout=40, trust_env=False) as client:
            sent = {**({TOKEN_HEADER: given} if given else {}), **(headers or {})}
            return client.request(method, path, headers=sent, **options)

    def get(self, path: str, **options: Any) -> httpx.Response:
        """GET."""
        return self.send("GET", path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        """POST."""
        return self.send("POST", path, **options)

    def send_as_it_is(self, target: str) -> tuple[int, bytes]:
        """Status and body for a request target that no client would send: httpx removes dots from a path."""
        connection = HTTPConnection("127.0.0.1", int(self.server.url.rpartition(":")[2]), timeout=40)
        try:
            connection.request("GET", target, headers={TOKEN_HEADER: self.token})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()


@contextmanager
def open_console(stack: ConsoleStack, folder: Path = FOLDER) -> Iterator[Browser]:
    """Serve the console of a stack."""
    with ConsoleServer(stack, 0, folder) as server:
        yield Browser(server)
