"""An OpenAI server that sends wrong responses: a proxy before the emulator that replaces chosen responses.

A run chooses what goes wrong with a prompt that names it (`fault-17`). The proxy finds the name in the body of a request
and remembers it for every id that it passes on, so that it finds the fault of later requests by the ids in their paths.
"""

import http.server
import json
import re
import socket
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

import httpx

Step = Literal["create", "poll", "submit", "message"]
"""The requests of a run: to create it, to poll it, to submit tool outputs, and to read the message."""


@dataclass(frozen=True)
class WrongResponse:
    """A response as it goes over the connection.

    `delay_seconds` is the time before the first byte, `byte_seconds` the time before each byte of what is named by
    `slow`. A `content_length` that differs from the body's length breaks the response off. `close` closes the
    connection without a response.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_seconds: float = 0
    byte_seconds: float = 0
    slow: Literal["headers", "body"] = "body"
    content_length: int | None = None
    close: bool = False


@dataclass(frozen=True)
class HostileStep:
    """A wrong response to the first `times` requests of a step."""

    name: str
    step: Step
    response: WrongResponse
    times: int = 1_000_000


class HostileServer:
    """Passes requests on to the emulator, except for those of runs that chose a fault.

    `faults` are the faults by the numbers in prompts, `requests` the method and path of each request.
    """

    def __init__(self) -> None:
        self.faults: Mapping[int, HostileStep] = {}
        self.requests: list[str] = []
        self.given: Counter[int] = Counter()
        """How many wrong responses each fault has sent."""
        self.emulator_url = ""
        self.stopped = threading.Event()
        self._numbers: dict[str, int] = {}
        self._completed: set[str] = set()
        self._lock = threading.Lock()
        self._client = httpx.Client(trust_env=False, timeout=60, limits=httpx.Limits(max_connections=200))
        handler = type("Handler", (_Handler,), {"hostile_server": self})
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.host = f"127.0.0.1:{self._server.server_port}"
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()

    @property
    def base_url(self) -> str:
        """The base URL for the run APIs."""
        return f"http://{self.host}/v1"

    def stop(self) -> None:
        """Stop serving, and end all responses."""
        self.stopped.set()
        self._server.shutdown()
        self._server.server_close()
        self._client.close()

    def wrong_response(self, method: str, path: str, body: bytes) -> WrongResponse | None:
        """The wrong response to a request, if it gets one."""
        number = self._number(path, body)
        with self._lock:
            self.requests.append(f"{method} {path}")
            fault = self.faults.get(number) if number is not None else None
            if fault is None or number is None or self._step(method, path, body) != fault.step:
                return None
            if self.given[number] >= fault.times:
                return None
            self.given[number] += 1
            return fault.response

    def forward(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> httpx.Response:
        """The emulator's own response."""
        passed = {
            name: value for name, value in headers.items() if name.lower() not in ("host", "content-length")
        }
        url = self.emulator_url.removesuffix("/v1") + path
        response = self._client.request(method, url, content=body, headers=passed)
        number = self._number(path, body)
        with self._lock:
            if number is not None:
                self._numbers.update(dict.fromkeys(_ID.findall(response.text), number))
            if (
                b'"status":"completed"' in response.content.replace(b" ", b"")
                and b'"function_call"' not in response.content
            ):
                self._completed.add(path)
        return response

    def _step(self, method: str, path: str, body: bytes) -> Step | None:
        """The step of a request. A completed response is requested once more, for its message."""
        step = step_of(method, path, body)
        return (
            "message"
            if step == "poll" and path.startswith("/v1/responses/") and path in self._completed
            else step
        )

    def _number(self, path: str, body: bytes) -> int | None:
        text = body.decode("utf-8", "replace")
        found = _FAULT.search(text)
        if found:
            return int(found[1])
        ids = [*path.partition("?")[0].split("/"), *_ID.findall(text)]
        with self._lock:
            return next((self._numbers[each] for each in ids if each in self._numbers), None)


def step_of(method: str, path: str, body: bytes) -> Step | None:
    """The step that a request belongs to; None for lists of what exists already, and for cancellations."""
    path = path.partition("?")[0].removeprefix("/v1")
    for step_method, pattern, content, step in _STEPS:
        if method == step_method and content in body and re.fullmatch(pattern, path):
            return step
    return None


_FAULT = re.compile(r"fault-(\d+)")
_ID = re.compile(r'"(?:id|thread_id|previous_response_id)"\s*:\s*"([\w.-]+)"')

_STEPS: Sequence[tuple[str, str, bytes, Step]] = (
    ("POST", r"/responses", b"previous_response_id", "submit"),
    ("POST", r"/responses", b"", "create"),
    ("GET", r"/responses/[^/]+", b"", "poll"),
    ("POST", r"/agents/sessions", b"", "create"),
    ("POST", r"/agents/sessions/[^/]+/events", b"tool_result", "submit"),
    ("GET", r"/agents/sessions/[^/]+/items", b"", "message"),
    ("GET", r"/agents/sessions/[^/]+(/turns)?", b"", "poll"),
    ("POST", r"/threads/[^/]+/runs", b"", "create"),
    ("GET", r"/threads/[^/]+/runs/[^/]+", b"", "poll"),
    ("POST", r"/threads/[^/]+/runs/[^/]+/submit_tool_outputs", b"", "submit"),
    ("GET", r"/threads/[^/]+/messages", b"", "message"),
)
"""Method, path below the base URL, what the body contains, and the step. The first one that fits counts."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hostile_server: HostileServer

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        wrong = self.hostile_server.wrong_response(self.command, self.path, body)
        try:
            if wrong is not None:
                self._send_wrong(wrong)
            else:
                response = self.hostile_server.forward(self.command, self.path, body, dict(self.headers))
                self.wfile.write(_head(response.status_code, response.headers, len(response.content)))
                self.wfile.write(response.content)
        except OSError:  # the client has closed the connection
            self.close_connection = True

    do_GET = do_POST = _handle  # noqa: N815  # the base class looks for these names

    def _send_wrong(self, wrong: WrongResponse) -> None:
        self.hostile_server.stopped.wait(wrong.delay_seconds)
        self.close_connection = True
        if wrong.close:
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        length = len(wrong.body) if wrong.content_length is None else wrong.content_length
        head = _head(wrong.status, wrong.headers, length)
        self._send(head, wrong.byte_seconds if wrong.slow == "headers" else 0)
        self._send(wrong.body, wrong.byte_seconds if wrong.slow == "body" else 0)

    def _send(self, content: bytes, byte_seconds: float) -> None:
        if not byte_seconds:
            self.wfile.write(content)
            return
        for byte in content:
            self.wfile.write(bytes([byte]))
            if self.hostile_server.stopped.wait(byte_seconds):
                return

    def log_message(self, *_: object) -> None:
        """Write nothing."""


def _head(status: int, headers: Mapping[str, str], length: int) -> bytes:
    left_out = ("content-length", "transfer-encoding", "connection", "date", "server")
    lines = [f"{name}: {value}" for name, value in headers.items() if name.lower() not in left_out]
    return "\r\n".join([f"HTTP/1.1 {status} Status", *lines, f"Content-Length: {length}", "", ""]).encode(
        "latin-1"
    )


@contextmanager
def hostile_server() -> Iterator[HostileServer]:
    """A hostile server. Its `emulator_url` and `faults` are to be set."""
    server = HostileServer()
    try:
        yield server
    finally:
        server.stop()


def json_body(value: object) -> bytes:
    """A value as JSON."""
    return json.dumps(value).encode()
