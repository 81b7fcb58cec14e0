"""The local API Gateway: the events that it sends to functions, and its own responses."""

import json
from typing import Any

import pytest
from werkzeug.test import Client

from local.api_gateway import MAX_BODY_BYTES, HttpApi
from local.lambda_runtime import Function, FunctionRunner
from local.template import Template


class EchoRunner(FunctionRunner):
    """Runs functions that respond with their event."""

    def __init__(self, functions: list[str]) -> None:
        super().__init__(
            {name: Function(name, "support.sample_handlers.echo_http", 5, 256, {}) for name in functions}
        )
        self.invoked: list[str] = []

    def invoke(self, name: str, event: str) -> Any:
        self.invoked.append(name)
        return super().invoke(name, event)


@pytest.fixture
def runner() -> EchoRunner:
    return EchoRunner([route.function for route in Template().routes()])


@pytest.fixture
def client(runner: EchoRunner) -> Client:
    names = {name: name for name in runner.functions}
    return Client(HttpApi(Template().routes(), names, runner))


@pytest.mark.parametrize(("method", "path"), [("GET", "/"), ("GET", "/nowhere"), ("DELETE", "/runs")])
def test_the_gateway_answers_requests_to_a_route_that_does_not_exist(
    client: Client, runner: EchoRunner, method: str, path: str
) -> None:
    response = client.open(path, method=method)

    assert (response.status_code, response.json) == (404, {"message": "Not Found"})
    assert runner.invoked == []


def test_a_body_that_exceeds_the_limit_of_the_gateway_reaches_no_function(
    client: Client, runner: EchoRunner
) -> None:
    response = client.post("/runs", data=b"x" * (MAX_BODY_BYTES + 1))

    assert MAX_BODY_BYTES == 10_000_000
    assert (response.status_code, response.json) == (413, {"message": "Request Entity Too Large"})
    assert runner.invoked == []


@pytest.mark.parametrize(
    ("content_type", "data", "body", "is_base64"),
    [
        ("application/json", '{"a": "ä"}'.encode(), '{"a": "ä"}', False),
        ("application/problem+json", b"{}", "{}", False),
        ("text/plain; charset=utf-8", b"text", "text", False),
        ("application/x-www-form-urlencoded", b"a=b", "YT1i", True),
        ("application/json", b"\xff", "/w==", True),
        ("application/octet-stream", b"", None, False),
    ],
)
def test_a_body_is_text_or_base64(
    client: Client, content_type: str, data: bytes, body: str | None, is_base64: bool
) -> None:
    event: Any = client.post("/runs", data=data, content_type=content_type).json

    assert (event.get("body"), event["isBase64Encoded"]) == (body, is_base64)


def test_the_event_has_payload_version_2_0(client: Client, runner: EchoRunner) -> None:
    event: Any = client.get("/runs/run_1?wait=1&a=b&a=c", headers={"X-Name": "value"}).json

    assert runner.invoked == ["GetRunFunction"]
    assert (event["version"], event["routeKey"], event["rawPath"]) == (
        "2.0",
        "GET /runs/{run_id}",
        "/runs/run_1",
    )
    assert (event["pathParameters"], event["queryStringParameters"]) == (
        {"run_id": "run_1"},
        {"wait": "1", "a": "b,c"},
    )
    assert event["headers"]["x-name"] == "value"
    assert event["requestContext"]["http"]["method"] == "GET"


def test_a_function_that_fails_is_an_internal_error() -> None:
    route = next(iter(Template().routes()))
    failing = Function("f", "support.sample_handlers.fail", 5, 256, {})
    client = Client(HttpApi([route], {route.function: "f"}, FunctionRunner({"f": failing})))
    response = client.open(route.path, method=route.method)

    assert (response.status_code, json.loads(response.data)) == (500, {"message": "Internal Server Error"})


APP = "https://app.example.com"


@pytest.fixture
def client_with_cors(runner: EchoRunner) -> Client:
    names = {name: name for name in runner.functions}
    cors = Template().cors(f"{APP},http://localhost:5173")
    return Client(HttpApi(Template().routes(), names, runner, cors))


def test_the_gateway_itself_tells_a_page_of_a_named_origin_what_it_may_send(
    client_with_cors: Client, runner: EchoRunner
) -> None:
    headers = {"Origin": APP, "Access-Control-Request-Method": "POST"}
    response = client_with_cors.options("/runs", headers=headers)

    assert (response.status_code, response.data, runner.invoked) == (204, b"", [])
    assert response.headers["Access-Control-Allow-Origin"] == APP
    assert response.headers["Access-Control-Allow-Methods"] == "GET,POST"
    assert {"authorization", "idempotency-key"} <= set(
        response.headers["Access-Control-Allow-Headers"].split(",")
    )
    assert "Access-Control-Allow-Credentials" not in response.headers


def test_a_page_of_a_named_origin_may_read_responses(client_with_cors: Client) -> None:
    for origin in (APP, "http://localhost:5173"):
        response = client_with_cors.get("/runs", headers={"Origin": origin})
        assert (response.status_code, response.headers["Access-Control-Allow-Origin"]) == (200, origin)
        assert "retry-after" in response.headers["Access-Control-Expose-Headers"].split(",")


@pytest.mark.parametrize("origin", ["https://evil.example", f"{APP}.evil.example", f"{APP}:8443", "null", ""])
def test_pages_of_other_origins_may_not(client_with_cors: Client, origin: str) -> None:
    headers = {"Origin": origin} if origin else {}
    for response in (
        client_with_cors.options("/runs", headers=headers),
        client_with_cors.get("/runs", headers=headers),
    ):
        assert not [name for name, _ in response.headers if name.startswith("Access-Control")]


def test_without_named_origins_there_is_no_route_for_the_question(client: Client) -> None:
    response = client.options("/runs", headers={"Origin": APP})

    assert (response.status_code, response.json) == (404, {"message": "Not Found"})
    assert "Access-Control-Allow-Origin" not in client.get("/runs", headers={"Origin": APP}).headers
