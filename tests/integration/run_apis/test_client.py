"""The OpenAI SDK over real connections, with the API key from the stack's secret."""

import itertools
import socket
import time
from collections.abc import Callable, Iterable, Mapping

import pytest
from support.canned_server import canned_server, json_response
from support.raw_server import Serve, http_response, never_respond, raw_server

from local.lambda_runtime import function_environment
from local.stack import LocalStack
from upcall.domain.errors import RequestRejected, TransientError
from upcall.run_apis import client
from upcall.run_apis.base import MIN_REQUEST_SECONDS, time_limit


@pytest.fixture
def environment(local_stack: LocalStack) -> Mapping[str, str]:
    return local_stack.deployed.functions["PollRunFunction"].environment


def test_a_request_carries_the_api_key_of_the_secret_and_the_json(environment: Mapping[str, str]) -> None:
    with canned_server(json_response({"id": "resp_1"})) as server:
        with function_environment({**environment, "OPENAI_BASE_URL": f"{server.url}/v1"}):
            response = client.post("/responses", {"model": "m"})

    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/v1/responses")
    assert request.headers["Authorization"] == "Bearer none"
    assert request.json == {"model": "m"}
    assert response.body == {"id": "resp_1"}


def test_a_refused_connection_raises_transient_error(environment: Mapping[str, str]) -> None:
    with function_environment({**environment, "OPENAI_BASE_URL": "http://127.0.0.1:1/v1"}):
        with pytest.raises(TransientError, match="GET /x"):
            client.get("/x")


def send_slowly(start: bytes, chunks: Iterable[bytes]) -> Serve:
    """Send the start, then a chunk every 50 ms."""

    def serve(connection: socket.socket) -> None:
        connection.sendall(start)
        for chunk in chunks:
            time.sleep(0.05)
            connection.sendall(chunk)

    return serve


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
TOO_SLOW: Mapping[str, Serve] = {
    "no response": never_respond,
    "status line byte by byte": send_slowly(b"HTTP/1.1 200 ", itertools.repeat(b"O")),
    "headers byte by byte": send_slowly(HEAD + b"X: ", itertools.repeat(b"y")),
    "endless 103 Early Hints": send_slowly(b"", itertools.repeat(b"HTTP/1.1 103 Early Hints\r\n\r\n")),
    "body byte by byte": send_slowly(HEAD + b"Content-Length: 10000\r\n\r\n", itertools.repeat(b"x")),
    "chunks byte by byte": send_slowly(
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n", itertools.repeat(b"1\r\nx\r\n")
    ),
    "empty lines without end": send_slowly(HEAD + b"\r\n", itertools.repeat(b"\n")),
}


@pytest.mark.parametrize("serve", TOO_SLOW.values(), ids=TOO_SLOW)
@pytest.mark.parametrize(
    "request_", [lambda: client.get("/x"), lambda: client.post("/x", {})], ids=["GET", "POST"]
)
def test_a_server_that_is_too_slow_ends_with_the_time_limit(
    environment: Mapping[str, str], serve: Serve, request_: Callable[[], object]
) -> None:
    with raw_server(serve) as server:
        with function_environment({**environment, "OPENAI_BASE_URL": f"{server.url}v1"}):
            start = time.monotonic()
            with time_limit(0), pytest.raises(TransientError, match="no answer"):
                request_()

    assert time.monotonic() - start < MIN_REQUEST_SECONDS + 1


@pytest.mark.parametrize(
    "status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"]
)
def test_a_redirect_leads_nowhere(environment: Mapping[str, str], status: str) -> None:
    with canned_server(json_response({"id": "x"})) as other:

        def serve(connection: socket.socket) -> None:
            headers = (f"Location: {other.url}", "Connection: close")
            connection.sendall(http_response(b"", *headers, status=status))
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):  # closing with an unread request would reset the connection
                pass

        with raw_server(serve) as server:
            with function_environment({**environment, "OPENAI_BASE_URL": f"{server.url}v1"}):
                with pytest.raises(RequestRejected, match="redirects are not followed"):
                    client.get("/x")
                with pytest.raises(RequestRejected, match="redirects are not followed"):
                    client.post("/x", {"input": "Go."})

    assert other.requests == []


def test_a_connection_is_used_again(environment: Mapping[str, str]) -> None:
    connections: list[socket.socket] = []

    def serve(connection: socket.socket) -> None:
        connections.append(connection)
        connection.sendall(http_response(b'{"id": "1"}'))
        connection.recv(65536)
        connection.sendall(http_response(b'{"id": "2"}'))

    with raw_server(serve) as server:
        with function_environment({**environment, "OPENAI_BASE_URL": f"{server.url}v1"}):
            assert [client.get("/x").id for _ in range(2)] == ["1", "2"]

    assert len(connections) == 1
