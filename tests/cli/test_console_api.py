"""What the console server sends to an API, with whose credentials, and what of the response it returns."""

from collections.abc import Iterator
from dataclasses import replace
from threading import Event

import boto3
import httpx
import pytest
from botocore.credentials import Credentials
from support.canned_server import canned_server, json_response
from support.console_browser import open_console
from support.iam_gateway import CALLER, REGION, IamGateway, iam_gateway
from werkzeug.wrappers import Response

from cli.console import api_proxy
from cli.console.stack import ConsoleStack
from local.http_server import HttpServer
from local.stack import LocalStack
from upcall.client import BearerAuth, ClientError, IamAuth


def stack_at(url: str, auth: httpx.Auth | None = None) -> ConsoleStack:
    """A stack of which only the URL is known."""
    return ConsoleStack(
        name=url,
        region=REGION,
        api=url,
        auth=auth,
        aws_name=None,
        new_session=boto3.Session,
        find_owner=lambda: None,
    )


@pytest.fixture
def gateway(local_stack: LocalStack) -> Iterator[IamGateway]:
    with iam_gateway(local_stack.endpoints.api) as started:
        yield started


def test_requests_are_signed_with_the_credentials_of_the_user(gateway: IamGateway) -> None:
    with open_console(stack_at(gateway.url, IamAuth(CALLER, REGION))) as browser:
        started = browser.post("/api/runs", json={"prompt": "Hällo."})
        listed = browser.get("/api/runs?limit=1&status=completed")
        missing = browser.get("/api/runs/run_of_nobody")

    assert (started.status_code, listed.status_code, missing.status_code) == (202, 200, 404)
    assert gateway.accepted == ["POST /runs", "GET /runs?limit=1&status=completed", "GET /runs/run_of_nobody"]
    assert gateway.rejected == []


def test_a_query_is_sent_in_the_form_that_a_signature_expects(gateway: IamGateway) -> None:
    """Browsers write a space as +, which AWS takes for a plus."""
    with open_console(stack_at(gateway.url, IamAuth(CALLER, REGION))) as browser:
        response = browser.get("/api/runs?cursor=a+b%2Fc~&limit=1")

    assert response.status_code == 400
    assert gateway.accepted == ["GET /runs?cursor=a%20b%2Fc~&limit=1"]


def test_a_signature_that_is_refused_passes_through(gateway: IamGateway) -> None:
    auth = IamAuth(Credentials(CALLER.access_key, "wrong"), REGION)
    with open_console(stack_at(gateway.url, auth)) as browser:
        response = browser.get("/api/runs")

    assert (response.status_code, response.json()) == (403, {"message": "Forbidden"})


def test_a_token_is_sent_and_headers_of_the_browser_stay_behind() -> None:
    with (
        canned_server(json_response({"runs": []})) as api,
        open_console(stack_at(api.url, BearerAuth("ey.J.x"))) as browser,
    ):
        headers = {
            "Cookie": "a=b",
            "Authorization": "Basic x",
            "X-Forwarded-For": "1.2.3.4",
            "Accept": "text/html",
        }
        browser.post("/api/runs", headers={**headers, "Idempotency-Key": "k"}, json={"prompt": "Go."})

    (request,) = api.requests
    sent = {name.lower(): value for name, value in request.headers.items()}
    assert (sent["authorization"], sent["idempotency-key"]) == ("Bearer ey.J.x", "k")
    assert (sent["accept"], sent["content-type"]) == ("application/json", "application/json")
    assert request.json == {"prompt": "Go."}
    assert not {"cookie", "x-forwarded-for", "x-console-token", "origin"} & sent.keys()


def test_of_a_response_the_status_the_body_and_when_to_try_again_pass_through() -> None:
    problem = Response(
        '{"status": 429}',
        429,
        {
            "Retry-After": "7",
            "RateLimit": '"runs";r=0;t=7',
            "Set-Cookie": "a=b",
            "Access-Control-Allow-Origin": "*",
            "Content-Security-Policy": "default-src *",
            "Location": "https://evil.example",
            "Keep-Alive": "timeout=5",
        },
        content_type="application/problem+json",
    )
    with canned_server(problem) as api, open_console(stack_at(api.url)) as browser:
        response = browser.get("/api/runs")

    assert (response.status_code, response.json()) == (429, {"status": 429})
    assert (response.headers["Retry-After"], response.headers["RateLimit"]) == ("7", '"runs";r=0;t=7')
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
    left_out = ("Set-Cookie", "Access-Control-Allow-Origin", "Location", "Keep-Alive")
    assert not [name for name in left_out if name in response.headers]


@pytest.mark.parametrize("content_type", ["text/html", "application/xhtml+xml", "image/svg+xml", ""])
def test_a_page_of_the_api_is_text(content_type: str) -> None:
    page = Response("<script>alert(1)</script>", 200, content_type=content_type)
    with canned_server(page) as api, open_console(stack_at(api.url)) as browser:
        response = browser.get("/api/runs")

    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_no_redirect_is_followed() -> None:
    with canned_server(json_response({"secret": 1})) as elsewhere:
        redirect = Response("", 307, {"Location": f"{elsewhere.url}/"})
        with canned_server(redirect) as api, open_console(stack_at(api.url)) as browser:
            response = browser.post("/api/runs", json={})

    assert response.status_code == 502
    assert response.json()["detail"] == f"{api.url} responded with a redirect, which is not followed"
    assert elsewhere.requests == []


def test_an_api_that_cannot_be_reached_is_a_bad_gateway() -> None:
    with HttpServer(lambda *_: []) as gone:
        url = gone.url
    with open_console(stack_at(url)) as browser:
        response = browser.get("/api/runs")

    assert (response.status_code, response.headers["Content-Type"]) == (502, "application/problem+json")
    assert response.json()["title"] == "Bad Gateway"
    assert response.json()["detail"].startswith(f"{url} cannot be reached: ")


def test_an_api_that_does_not_respond_is_a_gateway_time_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_proxy, "TIMEOUT_SECONDS", 0.2)

    released = Event()

    def wait(environ: object, start_response: object) -> list[bytes]:
        released.wait(10)
        return []

    with HttpServer(wait) as slow, open_console(stack_at(slow.url)) as browser:
        response = browser.get("/api/runs")
        released.set()

    assert (response.status_code, response.json()["detail"]) == (
        504,
        f"{slow.url} did not respond within 0.2 s",
    )


def test_a_response_that_is_too_large_is_not_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_proxy, "MAX_RESPONSE_BYTES", 10)
    with canned_server(json_response("x" * 11)) as api, open_console(stack_at(api.url)) as browser:
        response = browser.get("/api/runs")

    assert (response.status_code, response.json()["detail"]) == (
        502,
        f"{api.url} responded with more than 10 bytes",
    )


def test_credentials_that_are_gone_are_a_bad_gateway() -> None:
    class Gone(httpx.Auth):
        def auth_flow(self, request: httpx.Request) -> Iterator[httpx.Request]:  # type: ignore[override]
            raise ClientError("AWS: the session has expired")
            yield request

    with open_console(stack_at("http://127.0.0.1:1", Gone())) as browser:
        response = browser.get("/api/runs")

    assert (response.status_code, response.json()["detail"]) == (502, "AWS: the session has expired")


def test_a_stage_in_the_url_of_the_api_is_kept() -> None:
    with canned_server(json_response({})) as api:
        stack = replace(stack_at(api.url), api=f"{api.url}/stage")
        with open_console(stack) as browser:
            browser.get("/api/runs?limit=1")

    assert [request.path for request in api.requests] == ["/stage/runs?limit=1"]


def test_with_the_url_of_an_api_nothing_else_of_the_stack_is_known() -> None:
    with open_console(stack_at("http://127.0.0.1:1")) as browser:
        health = browser.get("/console/health").json()
        tool = browser.post("/console/tools/fetch/call", json={"arguments": {}})
        session = browser.get("/console/session").json()

    reason = "the console was opened with the URL of an API: open it with the name of the stack for this"
    assert health == {"dead_letters": [], "alarms": [], "quotas": None, "stopped": [], "unknown": [reason]}
    assert (tool.status_code, tool.json()["detail"]) == (409, reason)
    assert session == {
        "stack": "http://127.0.0.1:1",
        "region": REGION,
        "address": "http://127.0.0.1:1",
        "tenancy": None,
    }
