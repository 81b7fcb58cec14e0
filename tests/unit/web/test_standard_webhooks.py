"""Signed messages, verified with the OpenAI SDK's implementation of Standard Webhooks."""

import base64
import json

import httpx
import pytest
from openai import InvalidWebhookSignatureError, OpenAI

from upcall.domain.errors import ToolError
from upcall.web.standard_webhooks import post, signature, signature_headers

SECRET = "whsec_" + base64.b64encode(b"a secret of 24 bytes ...").decode()
WEBHOOKS = OpenAI(api_key="x").webhooks


def verify(body: bytes, headers: dict[str, str]) -> None:
    WEBHOOKS.verify_signature(body, headers, secret=SECRET)


def test_a_posted_message_is_json_and_its_signature_is_valid() -> None:
    requests: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(204)

    content = {"type": "greeting", "data": "Grüße"}
    post("http://hooks.test/hook", SECRET, "msg_1", content, httpx.MockTransport(respond))

    (request,) = requests
    assert (request.method, request.url.path) == ("POST", "/hook")
    assert request.headers["Content-Type"] == "application/json"
    assert json.loads(request.content) == content
    verify(request.content, dict(request.headers))


def test_the_signature_is_that_of_the_standards_example() -> None:
    """Message, time, secret and signature are those in the tests of Standard Webhooks' reference libraries."""
    secret, message_id, timestamp = (
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "1614265330",
    )

    value = signature(secret, message_id, timestamp, b'{"test": 2432232314}')

    assert value == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_changed_body_does_not_match_its_signature() -> None:
    headers = signature_headers(SECRET, "msg_1", b"ten euros")

    with pytest.raises(InvalidWebhookSignatureError):
        verify(b"10,000 euros", headers)


def test_the_prefix_of_the_secret_is_optional() -> None:
    secrets = (SECRET, SECRET.removeprefix("whsec_"))
    with_prefix, without = (signature_headers(secret, "msg_1", b"x") for secret in secrets)

    assert with_prefix["webhook-signature"] == without["webhook-signature"]


def test_a_secret_that_is_not_base64_is_rejected_and_not_quoted() -> None:
    with pytest.raises(ValueError, match="must be base64") as caught:
        signature_headers("my password!", "msg_1", b"x")

    assert "password" not in str(caught.value)


@pytest.mark.parametrize("status", [301, 400, 401, 404, 410, 500, 503])
def test_another_status_than_2xx_is_an_error_and_the_message_is_sent_once(status: int) -> None:
    requests: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(status, headers={"Location": "http://elsewhere.test/"}, json={})

    with pytest.raises(ToolError, match=f"it returned {status}"):
        post("http://hooks.test/", SECRET, "msg_1", {}, httpx.MockTransport(respond))

    assert len(requests) == 1, "neither repeated nor redirected"
