"""Messages to webhooks over real connections."""

import base64
import json
import socket
import threading

import pytest
from openai import OpenAI
from support.canned_server import canned_server
from werkzeug.wrappers import Response

from upcall.domain.errors import OutcomeUnknown, ToolError
from upcall.web.standard_webhooks import post

SECRET = "whsec_" + base64.b64encode(b"a secret of 24 bytes ...").decode()


def test_a_receiver_can_verify_the_sender() -> None:
    with canned_server(Response(status=204)) as server:
        post(f"{server.url}/hook", SECRET, "msg_1", {"type": "greeting", "data": "Grüße"})

    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/hook")
    assert request.headers["Content-Type"] == "application/json"
    assert json.loads(request.body) == {"type": "greeting", "data": "Grüße"}
    OpenAI(api_key="x").webhooks.verify_signature(request.body, dict(request.headers), secret=SECRET)


def test_nothing_was_sent_if_the_connection_is_refused() -> None:
    with pytest.raises(ToolError, match="cannot be reached; nothing was sent"):
        post("http://127.0.0.1:1/", SECRET, "msg_1", {})


def test_the_outcome_is_unknown_if_the_webhook_closes_the_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def close_without_response() -> None:
            connection, _ = listener.accept()
            connection.recv(65_536)
            connection.close()

        threading.Thread(target=close_without_response, daemon=True).start()
        with pytest.raises(OutcomeUnknown, match="did not respond"):
            post(f"http://127.0.0.1:{listener.getsockname()[1]}/", SECRET, "msg_1", {})
