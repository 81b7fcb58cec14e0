"""Received messages: which are accepted, and why the others are rejected.

The cases are those of the tests of Standard Webhooks' reference library for Python, and more of their kind.
"""

import base64

import pytest

from upcall.web.standard_webhooks import TOLERANCE_SECONDS, rejection_reason, signature

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105  # public
OTHER_SECRET = base64.b64encode(b"another secret of 32 bytes .....").decode()
MESSAGE_ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
BODY = b'{"test": 2432232314}'
NOW = 1_614_265_330
WRONG_SIGNATURE = "Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc="


def signed_headers(
    secret: str = SECRET, *, timestamp: str = str(NOW), message_id: str = MESSAGE_ID
) -> dict[str, str]:
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": signature(secret, message_id, timestamp, BODY),
    }


def reason(headers: dict[str, str], *, secret: str = SECRET, body: bytes = BODY) -> str:
    """Why the message is rejected; empty if it is accepted."""
    return rejection_reason(secret, headers, body, now=NOW) or ""


def test_a_message_with_a_valid_signature_is_accepted() -> None:
    assert reason(signed_headers()) == ""


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
@pytest.mark.parametrize("value", [None, "", " "])
def test_a_message_without_one_of_the_headers_is_rejected(name: str, value: str | None) -> None:
    headers = signed_headers()
    del headers[name]
    if value is not None:
        headers[name] = value

    assert reason(headers) == f"the header {name} is missing"


@pytest.mark.parametrize("message_id", ["x" * 256, "evt_ä", "\ud800"])
def test_an_id_that_cannot_be_part_of_a_key_is_rejected(message_id: str) -> None:
    headers = signed_headers() | {"webhook-id": message_id}

    assert reason(headers) == "webhook-id has more than 255 characters, or others than ASCII"


@pytest.mark.parametrize(
    "timestamp",
    ["hello", "1614265330.5", "-1614265330", "0x10", "१६१४२६५३३०", "1e9", "9" * 40, "1_614_265_330"],
)
def test_a_timestamp_that_is_no_number_of_seconds_is_rejected(timestamp: str) -> None:
    headers = signed_headers() | {"webhook-timestamp": timestamp}

    assert reason(headers) == "webhook-timestamp is not a time in seconds since 1970"


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (TOLERANCE_SECONDS, ""),
        (-TOLERANCE_SECONDS, ""),
        (TOLERANCE_SECONDS + 1, "the message was sent 301 seconds ago; at most 300 are accepted"),
        (-TOLERANCE_SECONDS - 1, "the message's time is 301 seconds in the future; at most 300 are accepted"),
    ],
)
def test_a_message_may_be_five_minutes_old_or_early(age: int, expected: str) -> None:
    assert reason(signed_headers(timestamp=str(NOW - age))) == expected


@pytest.mark.parametrize(
    "signatures",
    [
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OA=",
        f"v1,{WRONG_SIGNATURE} v1,{WRONG_SIGNATURE}",
        "v1,",
        "v1,\xe4",
        "v1,\ud800",
    ],
)
def test_a_signature_that_does_not_match_is_rejected(signatures: str) -> None:
    headers = signed_headers() | {"webhook-signature": signatures}

    assert reason(headers) == (
        "no signature matches: the message was signed with another secret, or was changed"
    )


@pytest.mark.parametrize("field", ["body", "webhook-id", "webhook-timestamp"])
def test_body_id_and_time_are_signed(field: str) -> None:
    headers, body = signed_headers(), BODY
    if field == "body":
        body += b" "
    else:
        headers[field] = headers[field][:-1] + "1"

    assert "no signature matches" in reason(headers, body=body)


def test_one_valid_signature_among_several_is_enough() -> None:
    valid = signed_headers()["webhook-signature"]
    several = f"v1,{WRONG_SIGNATURE} v2,{WRONG_SIGNATURE}  {valid} v1,{WRONG_SIGNATURE} nonsense"

    assert reason(signed_headers() | {"webhook-signature": several}) == ""


@pytest.mark.parametrize("version", ["v1a", "v2", "V1", ""])
def test_a_valid_signature_of_another_version_is_not_accepted(version: str) -> None:
    value = signed_headers()["webhook-signature"].removeprefix("v1,")

    assert reason(signed_headers() | {"webhook-signature": f"{version},{value}"}) == (
        "there is no signature of version v1"
    )


def test_names_of_headers_may_be_in_upper_case() -> None:
    headers = {name.title(): value for name, value in signed_headers().items()}

    assert reason(headers) == ""


def test_a_receiver_with_two_secrets_accepts_messages_signed_with_either() -> None:
    both = f"{SECRET} {OTHER_SECRET}"

    assert reason(signed_headers(SECRET), secret=both) == ""
    assert reason(signed_headers(OTHER_SECRET), secret=both) == ""
    assert "no signature matches" in reason(signed_headers(OTHER_SECRET))


def test_a_message_signed_with_two_secrets_is_accepted_by_receivers_of_either() -> None:
    headers = signed_headers(f"{SECRET}\n{OTHER_SECRET}")

    assert reason(headers) == ""
    assert reason(headers, secret=OTHER_SECRET) == ""
