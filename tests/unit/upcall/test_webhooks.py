"""Signed messages, checked with the OpenAI SDK's own verification of Standard Webhooks."""

import base64
import json
import socket

import pytest
from openai import InvalidWebhookSignatureError, OpenAI
from support.canned_server import canned, json_answer
from werkzeug.wrappers import Response

from upcall.domain.errors import OutcomeUnknown, ToolError
from upcall.web.standard_webhooks import post, signature, signed

SECRET = "whsec_" + base64.b64encode(b"a secret of 24 bytes ...").decode()


def test_the_receiver_can_tell_who_sent_it() -> None:
    with canned(Response(status=204)) as up:
        post(f"{up.url}/hook", SECRET, "msg_1", {"type": "greeting", "data": "Grüße"})

    (asked,) = up.asked
    assert (asked.method, asked.path, asked.headers["Content-Type"]) == ("POST", "/hook", "application/json")
    assert json.loads(asked.body) == {"type": "greeting", "data": "Grüße"}
    OpenAI(api_key="x").webhooks.verify_signature(asked.body, dict(asked.headers), secret=SECRET)


def test_the_signature_is_that_of_the_standards_own_example() -> None:
    """Message, time, secret and signature as Standard Webhooks' reference libraries test them."""
    secret, message_id, timestamp = (
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "1614265330",
    )

    found = signature(secret, message_id, timestamp, b'{"test": 2432232314}')

    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_body_that_was_changed_on_its_way_is_found_out() -> None:
    headers = signed(SECRET, "msg_1", b"ten euros")

    with pytest.raises(InvalidWebhookSignatureError):
        OpenAI(api_key="x").webhooks.verify_signature(b"10,000 euros", headers, secret=SECRET)


def test_the_prefix_of_the_secret_may_be_left_out() -> None:
    with_prefix, without = (signed(each, "msg_1", b"x") for each in (SECRET, SECRET.removeprefix("whsec_")))

    assert with_prefix["webhook-signature"] == without["webhook-signature"]


def test_a_secret_that_is_not_base64_is_refused_without_being_told() -> None:
    with pytest.raises(ValueError, match="is base64") as caught:
        signed("my password!", "msg_1", b"x")

    assert "password" not in str(caught.value)


@pytest.mark.parametrize("status", [301, 400, 401, 404, 410, 500, 503])
def test_a_webhook_that_does_not_accept_says_its_status(status: int) -> None:
    with canned(json_answer({}, status)) as up:
        with pytest.raises(ToolError, match=f"it answered {status}"):
            post(up.url, SECRET, "msg_1", {})

    assert len(up.asked) == 1, "neither repeated nor redirected"


def test_a_webhook_that_is_not_there_has_got_nothing() -> None:
    with pytest.raises(ToolError, match="cannot be reached; nothing was sent"):
        post("http://127.0.0.1:1/", SECRET, "msg_1", {})


def test_a_webhook_that_hangs_up_may_have_got_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        import threading

        def hang_up() -> None:
            connection, _ = listener.accept()
            connection.recv(65_536)
            connection.close()

        threading.Thread(target=hang_up, daemon=True).start()
        with pytest.raises(OutcomeUnknown, match="gave no answer"):
            post(f"http://127.0.0.1:{listener.getsockname()[1]}/", SECRET, "msg_1", {})
