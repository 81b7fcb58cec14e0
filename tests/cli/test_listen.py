"""What `upcall listen` prints and responds, without a stack."""

import io
import json
import time

import pytest
from rich.console import Console
from werkzeug.test import Client

from cli.commands.listen import callback_receiver
from local.config import CALLBACK_SECRET
from upcall.web.standard_webhooks import TOLERANCE_SECONDS, signature

BODY = b'{"type": "run.completed", "data": {"run_id": "run_1", "message_excerpt": "Done."}}'


class Receiver:
    """A receiver, and what it has printed."""

    def __init__(self, *, as_json: bool = False) -> None:
        self._printed = io.StringIO()
        self._client = Client(callback_receiver(Console(file=self._printed), as_json=as_json))

    def post(self, *, message_id: str = "msg_1", age: int = 0, body: bytes = BODY, extra: str = "") -> int:
        """Post BODY, signed with the local stack's secret. Returns the status of the response."""
        timestamp = str(int(time.time()) - age)
        headers = {
            "webhook-id": message_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": extra + signature(CALLBACK_SECRET, message_id, timestamp, BODY),
        }
        return self._client.post("/hook", data=body, headers=headers).status_code

    def printed(self) -> str:
        """Everything that was printed."""
        return self._printed.getvalue()


def test_a_signed_callback_is_accepted() -> None:
    receiver = Receiver()

    assert receiver.post() == 204
    assert "run.completed  run_1  signed\n" in receiver.printed()


def test_one_valid_signature_among_several_is_enough() -> None:
    assert Receiver().post(extra="v1,AAAA v2,BBBB ") == 204


@pytest.mark.parametrize("age", [TOLERANCE_SECONDS + 30, -TOLERANCE_SECONDS - 30])
def test_a_callback_from_another_time_is_rejected(age: int) -> None:
    receiver = Receiver()

    assert receiver.post(age=age) == 401
    assert "REJECTED: the message" in receiver.printed()
    assert f"at most {TOLERANCE_SECONDS} are accepted" in receiver.printed()


def test_a_changed_callback_is_rejected_with_the_reason() -> None:
    receiver = Receiver()

    assert receiver.post(body=BODY + b" ") == 401
    assert "REJECTED: no signature matches" in receiver.printed()


def test_a_callback_that_is_delivered_again_is_recognised_by_its_id() -> None:
    receiver = Receiver()

    assert [receiver.post(), receiver.post(), receiver.post(message_id="msg_2")] == [204, 204, 204]
    assert receiver.printed().count("signed, delivered again") == 1


def test_a_rejected_callback_is_not_remembered() -> None:
    receiver = Receiver()
    receiver.post(body=b"{}")
    receiver.post()

    assert "delivered again" not in receiver.printed()


def test_json_says_whether_a_callback_was_accepted() -> None:
    receiver = Receiver(as_json=True)
    receiver.post(age=4000)

    printed = json.loads(receiver.printed())
    assert (printed["signed"], printed["repeated"]) == (False, False)
    assert "4000 seconds ago" in printed["rejected"]
