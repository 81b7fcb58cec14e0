"""Signed messages, verified with the OpenAI SDK's implementation of Standard Webhooks."""

import base64
import json

import httpx
import pytest
from openai import InvalidWebhookSignatureError, OpenAI

from upcall.domain.errors import InvalidSecret, ToolError
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


def secret_of(length: int) -> str:
    return base64.b64encode(bytes(range(length))).decode()


@pytest.mark.parametrize("secret", ["my password!", "my pässword", "-_password-_" * 4])
def test_a_secret_that_is_not_base64_is_rejected_and_not_quoted(secret: str) -> None:
    with pytest.raises(InvalidSecret, match="must be base64") as caught:
        signature_headers(secret, "msg_1", b"x")

    assert "password" not in str(caught.value)


@pytest.mark.parametrize("secret", ["", " \n", "whsec_", "whsec_ \n", "====", "whsec_=="])
def test_an_empty_secret_is_rejected(secret: str) -> None:
    with pytest.raises(InvalidSecret, match="the webhook secret is empty"):
        signature_headers(secret, "msg_1", b"x")


@pytest.mark.parametrize("length", [1, 3, 16, 23, 65, 100])
def test_a_secret_that_is_too_short_or_too_long_is_rejected(length: int) -> None:
    expected = f"the webhook secret has {length} bytes; Standard Webhooks requires 24 to 64"
    with pytest.raises(InvalidSecret, match=expected):
        signature_headers(secret_of(length), "msg_1", b"x")


@pytest.mark.parametrize("length", [24, 25, 26, 32, 64])
def test_a_secret_of_24_to_64_bytes_may_lack_its_padding_and_have_blanks_around(length: int) -> None:
    padded = secret_of(length)
    bare = padded.rstrip("=")

    forms = [padded, bare, f"whsec_{bare}", f" whsec_{padded}\r\n", f"\ufeff{padded}"]
    values = {signature(form, "msg_1", "1", b"x") for form in forms}

    assert len(values) == 1


@pytest.mark.parametrize("secret", ["whsk_" + "A" * 88, "whpk_" + "A" * 44])
def test_a_key_for_asymmetric_signatures_is_rejected_as_one(secret: str) -> None:
    with pytest.raises(InvalidSecret, match="is a key for asymmetric signatures, which are not supported"):
        signature_headers(secret, "msg_1", b"x")


def test_each_of_two_secrets_has_its_signature() -> None:
    """The receiver may be given the new secret before or after the sender."""
    new = "whsec_" + secret_of(32)
    headers = signature_headers(f"{new}\n{SECRET}\n", "msg_1", b"x")

    assert len(headers["webhook-signature"].split(" ")) == 2
    for secret in (new, SECRET):
        WEBHOOKS.verify_signature(b"x", headers, secret=secret)


def test_a_wrong_secret_among_several_is_named_by_its_position() -> None:
    with pytest.raises(InvalidSecret, match=r"the webhook secret \(number 2 of 2\) has 5 bytes"):
        signature_headers(f"{SECRET} {secret_of(5)}", "msg_1", b"x")


def test_a_message_id_with_a_full_stop_is_not_signed() -> None:
    """Two messages whose ids, times and bodies differ would have the same signature."""
    with pytest.raises(ValueError, match="full stop"):
        signature(SECRET, "msg_1.2", "3", b"x")


@pytest.mark.parametrize("status", [301, 400, 401, 404, 410, 500, 503])
def test_another_status_than_2xx_is_an_error_and_the_message_is_sent_once(status: int) -> None:
    requests: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(status, headers={"Location": "http://elsewhere.test/"}, json={})

    with pytest.raises(ToolError, match=f"it returned {status}"):
        post("http://hooks.test/", SECRET, "msg_1", {}, httpx.MockTransport(respond))

    assert len(requests) == 1, "neither repeated nor redirected"
