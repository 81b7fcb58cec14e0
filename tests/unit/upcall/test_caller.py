"""What a caller is called, by the word of API Gateway."""

from typing import Any

import pytest

from upcall.domain.caller import ANYBODY, name_of

ROLE = "arn:aws:sts::123456789012:assumed-role"


def named(**authorizer: Any) -> str:
    return name_of({"requestContext": {"authorizer": authorizer}})


@pytest.mark.parametrize(
    ("arn", "name"),
    [
        ("arn:aws:iam::123456789012:user/ann", "arn:aws:iam::123456789012:user/ann"),
        (f"{ROLE}/deployer/botocore-session-1", f"{ROLE}/deployer"),
        (f"{ROLE}/deployer/botocore-session-2", f"{ROLE}/deployer"),
        (
            f"{ROLE}/AWSReservedSSO_Dev_0a1b/ann@example.com",
            f"{ROLE}/AWSReservedSSO_Dev_0a1b/ann@example.com",
        ),
        ("arn:aws:iam::123456789012:root", "arn:aws:iam::123456789012:root"),
    ],
)
def test_a_signed_request_is_of_the_user_or_the_role(arn: str, name: str) -> None:
    assert named(iam={"userArn": arn}) == name


def test_a_token_is_of_its_subject_at_its_issuer() -> None:
    ann = named(jwt={"claims": {"iss": "https://a.test", "sub": "ann"}})

    assert ann == "https://a.test ann"
    assert ann != named(jwt={"claims": {"iss": "https://b.test", "sub": "ann"}})


def test_a_long_name_is_told_apart_by_its_hash() -> None:
    long, longer = (named(jwt={"claims": {"sub": "x" * length}}) for length in (3000, 3001))

    assert len(long) == 64
    assert long != longer


@pytest.mark.parametrize("event", [{}, {"requestContext": {}}, {"requestContext": {"authorizer": None}}])
def test_where_nobody_authorises_anybody_calls(event: dict[str, Any]) -> None:
    assert name_of(event) == ANYBODY
