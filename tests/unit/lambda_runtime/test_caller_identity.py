"""The name of a caller, as API Gateway's authorizer gives it."""

from typing import Any

import pytest

from upcall.domain.caller import ANYBODY, Caller
from upcall.lambda_runtime.caller_identity import caller_name, caller_of, current_caller

ROLE = "arn:aws:sts::123456789012:assumed-role"


def name_from(**authorizer: Any) -> str:
    return caller_name({"requestContext": {"authorizer": authorizer}})


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
def test_the_caller_of_a_signed_request_is_the_user_or_the_role(arn: str, name: str) -> None:
    assert name_from(iam={"userArn": arn}) == name


def test_the_caller_with_a_token_is_its_subject_at_its_issuer() -> None:
    ann = name_from(jwt={"claims": {"iss": "https://a.test", "sub": "ann"}})

    assert ann == "https://a.test ann"
    assert ann != name_from(jwt={"claims": {"iss": "https://b.test", "sub": "ann"}})


def test_a_long_name_is_replaced_by_its_hash() -> None:
    long, longer = (name_from(jwt={"claims": {"sub": "x" * length}}) for length in (3000, 3001))

    assert len(long) == 64
    assert long != longer


@pytest.mark.parametrize("event", [{}, {"requestContext": {}}, {"requestContext": {"authorizer": None}}])
def test_without_an_authorizer_the_caller_is_anybody(event: dict[str, Any]) -> None:
    assert caller_name(event) == ANYBODY


@pytest.mark.parametrize(("tenancy", "one_tenant"), [("one", True), ("many", False)])
def test_the_current_caller_is_that_of_the_request_while_it_lasts(
    monkeypatch: pytest.MonkeyPatch, tenancy: str, one_tenant: bool
) -> None:
    monkeypatch.setenv("TENANCY", tenancy)
    with caller_of({"requestContext": {"authorizer": {"iam": {"userArn": "ann"}}}}):
        inside = current_caller()

    assert inside == Caller("ann", one_tenant=one_tenant)
    assert current_caller().name == ANYBODY
