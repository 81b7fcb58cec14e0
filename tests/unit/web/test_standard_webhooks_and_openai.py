"""Our verification of webhooks and the openai package's agree on 1,000 generated messages.

They differ where the package is too lenient or raises an unrelated exception. Each such case is named here,
and we reject it:

- The package accepts an empty or short secret; Standard Webhooks requires 24 to 64 bytes.
- It takes a secret without `whsec_` as raw bytes; the standard and ours decode it as base64.
- It ignores characters in the secret that are not base64. One without its padding, which we accept, raises
  `binascii.Error`, as damaged base64 does.
- It accepts a signature without its version.
- It accepts times that `int` reads, such as "+1", "1_000" and digits of other scripts.
- A missing header raises `ValueError`, a body that is not UTF-8 `UnicodeDecodeError`, and a signature that is not
  ASCII `TypeError`.
- It knows one secret; ours knows several.
"""

import base64
import hashlib
import hmac
import json
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from openai import InvalidWebhookSignatureError, OpenAI

from upcall.domain.errors import InvalidSecret
from upcall.web.standard_webhooks import rejection_reason, signature

CASES = 1000

WEBHOOKS = OpenAI(api_key="x").webhooks


@dataclass(frozen=True)
class Message:
    """A received message, and the secret that it is verified with."""

    secret: str
    headers: dict[str, str]
    body: bytes

    def with_header(self, name: str, value: str) -> "Message":
        return replace(self, headers={**self.headers, name: value})


Change = Callable[[random.Random, Message], Message]


def new_secret(rng: random.Random, length: int | None = None) -> str:
    return "whsec_" + base64.b64encode(rng.randbytes(length or rng.randint(24, 64))).decode()


def new_message(rng: random.Random, age: int = 0) -> Message:
    secret, id_, timestamp = new_secret(rng), f"wh_{rng.randbytes(12).hex()}", str(int(time.time()) - age)
    event = {"id": f"evt_{rng.random()}", "type": "response.completed", "data": {"id": "resp_ä"}}
    body = json.dumps(event, ensure_ascii=rng.random() < 0.5).encode()
    headers = {
        "webhook-id": id_,
        "webhook-timestamp": timestamp,
        "webhook-signature": signature(secret, id_, timestamp, body),
    }
    return Message(secret, headers, body)


def unchanged(_: random.Random, message: Message) -> Message:
    return message


def with_wrong_secret(rng: random.Random, message: Message) -> Message:
    return replace(message, secret=new_secret(rng))


def with_changed_body(rng: random.Random, message: Message) -> Message:
    text = message.body.decode()
    position = rng.randrange(len(text))
    return replace(message, body=f"{text[:position]} {text[position:]}".encode())


def with_changed_header(rng: random.Random, message: Message) -> Message:
    name = rng.choice(["webhook-id", "webhook-timestamp"])
    value = message.headers[name]
    return message.with_header(name, value[:-1] + ("1" if value[-1] != "1" else "2"))


def old(rng: random.Random, _: Message) -> Message:
    return new_message(rng, age=rng.choice([100, 290, 310, 5000]))


def in_the_future(rng: random.Random, _: Message) -> Message:
    return new_message(rng, age=-rng.choice([100, 290, 310, 5000]))


def with_several_signatures(rng: random.Random, message: Message) -> Message:
    """One may be the right one."""
    others = [f"v1,{base64.b64encode(rng.randbytes(32)).decode()}" for _ in range(rng.randint(1, 4))]
    others += ["v1a,AAAA", "nonsense"]
    if rng.random() < 0.5:
        others.append(message.headers["webhook-signature"])
    rng.shuffle(others)
    return message.with_header("webhook-signature", rng.choice([" ", "  "]).join(others))


def with_odd_signature(rng: random.Random, message: Message) -> Message:
    value = message.headers["webhook-signature"]
    odd = ["v1,", "v1", ",", "v2," + value[3:], value[:-1], value + "=", value.lower(), "V1" + value[2:]]
    return message.with_header("webhook-signature", rng.choice(odd))


def with_odd_time(rng: random.Random, message: Message) -> Message:
    odd = ["hello", "1.5", "-5", "1e9", "0x10", "99999999999999999999"]
    return message.with_header("webhook-timestamp", rng.choice(odd))


def without_header(rng: random.Random, message: Message) -> Message:
    name = rng.choice(list(message.headers))
    return replace(message, headers={key: value for key, value in message.headers.items() if key != name})


def with_header_names_in_title_case(_: random.Random, message: Message) -> Message:
    return replace(message, headers={name.title(): value for name, value in message.headers.items()})


CHANGES: tuple[Change, ...] = (
    unchanged,
    with_wrong_secret,
    with_changed_body,
    with_changed_header,
    old,
    in_the_future,
    with_several_signatures,
    with_odd_signature,
    with_odd_time,
    without_header,
    with_header_names_in_title_case,
)


def package_accepts(message: Message) -> bool:
    """Whether the openai package accepts a message. For a missing header it raises ValueError."""
    try:
        WEBHOOKS.unwrap(message.body, message.headers, secret=message.secret)
    except InvalidWebhookSignatureError:
        return False
    except ValueError as error:
        assert "Could not find webhook-" in str(error)
        return False
    return True


def we_accept(message: Message) -> bool:
    return rejection_reason(message.secret, message.headers, message.body, now=time.time()) is None


def test_both_agree_on_generated_messages() -> None:
    rng = random.Random(14)
    accepted: Counter[bool] = Counter()
    for number in range(CASES):
        message = new_message(rng)
        change = CHANGES[number % len(CHANGES)]
        message = change(rng, message)
        if rng.random() < 0.2:
            message = with_changed_body(rng, message)
        expected = package_accepts(message)
        assert we_accept(message) is expected, (change.__name__, message)
        accepted[expected] += 1

    assert accepted.total() == CASES
    assert min(accepted[True], accepted[False]) > CASES / 5


@pytest.mark.parametrize("length", [1, 23, 65])
def test_a_secret_of_a_wrong_length_is_accepted_by_the_package_alone(length: int) -> None:
    rng = random.Random(length)
    message = signed_by_package(replace(new_message(rng), secret=new_secret(rng, length)))

    assert package_accepts(message)
    with pytest.raises(InvalidSecret, match="Standard Webhooks requires 24 to 64"):
        we_accept(message)


@pytest.mark.parametrize("secret", ["", "whsec_"])
def test_an_empty_secret_is_accepted_by_the_package_alone(secret: str) -> None:
    """Anybody can sign with it."""
    message = signed_by_package(replace(new_message(random.Random(1)), secret=secret))

    assert package_accepts(message)
    with pytest.raises(InvalidSecret, match="is empty"):
        we_accept(message)


def test_a_secret_without_its_prefix_is_raw_bytes_to_the_package_and_base64_to_us() -> None:
    message = new_message(random.Random(2))
    bare = replace(message, secret=message.secret.removeprefix("whsec_"))

    assert we_accept(bare)
    assert not package_accepts(bare)


def test_odd_base64_in_the_secret_is_ignored_or_an_odd_exception_in_the_package() -> None:
    message = new_message(random.Random(3))
    with_blank = replace(message, secret=message.secret[:10] + "*" + message.secret[10:])
    cut = replace(message, secret="whsec_" + "A" * 41)

    assert package_accepts(with_blank)
    with pytest.raises(InvalidSecret, match="must be base64"):
        we_accept(with_blank)
    with pytest.raises(ValueError, match="base64|padding|data characters"):
        WEBHOOKS.verify_signature(cut.body, cut.headers, secret=cut.secret)
    with pytest.raises(InvalidSecret, match="must be base64"):
        we_accept(cut)


def test_a_secret_without_padding_is_accepted_by_us_alone() -> None:
    rng = random.Random(4)
    secret = new_secret(rng, 32).rstrip("=")
    message = new_message(rng)
    id_, timestamp = message.headers["webhook-id"], message.headers["webhook-timestamp"]
    unpadded = replace(message, secret=secret).with_header(
        "webhook-signature", signature(secret, id_, timestamp, message.body)
    )

    assert we_accept(unpadded)
    with pytest.raises(ValueError, match="padding"):
        WEBHOOKS.verify_signature(unpadded.body, unpadded.headers, secret=secret)


def test_a_signature_without_its_version_is_accepted_by_the_package_alone() -> None:
    message = new_message(random.Random(5))
    bare = message.with_header("webhook-signature", message.headers["webhook-signature"].removeprefix("v1,"))

    assert package_accepts(bare)
    assert not we_accept(bare)


@pytest.mark.parametrize("form", ["+{}", "0{}", "{:_}"])
def test_a_time_in_another_form_is_a_number_to_the_package(form: str) -> None:
    message = new_message(random.Random(6))
    odd = message.with_header("webhook-timestamp", form.format(int(message.headers["webhook-timestamp"])))
    odd = signed_by_package(odd)

    assert package_accepts(odd)
    assert we_accept(odd) is form.startswith("0")


def test_bytes_that_are_no_text_raise_odd_exceptions_in_the_package_and_are_rejected_by_us() -> None:
    message = new_message(random.Random(7))
    not_utf8 = replace(message, body=b"\xff" + message.body)
    not_ascii = message.with_header("webhook-signature", "v1,ä")

    assert not we_accept(not_utf8)
    with pytest.raises(UnicodeDecodeError):
        WEBHOOKS.verify_signature(not_utf8.body, not_utf8.headers, secret=not_utf8.secret)
    assert not we_accept(not_ascii)
    with pytest.raises(TypeError):
        WEBHOOKS.verify_signature(not_ascii.body, not_ascii.headers, secret=not_ascii.secret)


def test_of_two_secrets_ours_alone_uses_both() -> None:
    rng = random.Random(8)
    message = new_message(rng)
    both = replace(message, secret=f"{new_secret(rng)} {message.secret}")

    assert we_accept(both)


def signed_by_package(message: Message) -> Message:
    """The message with the signature that the openai package expects for its secret."""
    key = base64.b64decode(message.secret.removeprefix("whsec_"))
    id_, timestamp = message.headers["webhook-id"], message.headers["webhook-timestamp"]
    digest = hmac.digest(key, f"{id_}.{timestamp}.".encode() + message.body, hashlib.sha256)
    return message.with_header("webhook-signature", f"v1,{base64.b64encode(digest).decode()}")
