"""The name of a caller, as API Gateway's authorizer gives it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upcall.domain.caller import ANYBODY, EVENTS, Caller
from upcall.domain.errors import CallerNotIdentified
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

    assert ann == "https://a.test|ann"
    assert ann != name_from(jwt={"claims": {"iss": "https://b.test", "sub": "ann"}})


def test_a_long_name_is_replaced_by_its_hash() -> None:
    claims = ({"iss": "https://a.test", "sub": "x" * length} for length in (3000, 3001))
    long, longer = (name_from(jwt={"claims": each}) for each in claims)

    assert len(long) == 64
    assert long != longer


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"iss": "https://a.test"},
        {"iss": "https://a.test", "client_id": "a"},
        {"iss": "https://a.test", "sub": ""},
        {"iss": "https://a.test", "sub": " \t"},
        {"iss": "https://a.test", "sub": None},
        {"iss": "https://a.test", "sub": ["ann"]},
        {"iss": "https://a.test", "sub": {"name": "ann"}},
        {"iss": "https://a.test", "SUB": "ann"},
        None,
    ],
    ids=repr,
)
def test_a_token_that_names_nobody_is_refused(claims: dict[str, Any] | None) -> None:
    with pytest.raises(
        CallerNotIdentified, match="^the token has no claim sub, which identifies the caller$"
    ):
        name_from(jwt={"claims": claims, "scopes": None})


def test_the_claims_that_name_a_caller_are_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens of machines have a client_id, and often no sub."""
    monkeypatch.setenv("CALLER_CLAIMS", "client_id")
    claims = {"iss": "https://a.test", "client_id": "a", "sub": "ann"}

    assert name_from(jwt={"claims": claims}) == "https://a.test|a"
    with pytest.raises(CallerNotIdentified, match="the token has no claim client_id"):
        name_from(jwt={"claims": {"iss": "https://a.test", "sub": "ann"}})


@pytest.mark.parametrize("setting", ["org, sub", "sub,org", " sub ,, org ,"])
def test_several_claims_name_a_caller_together_in_an_order_of_their_own(
    monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    """Otherwise a change of the setting's order would part all callers from their runs."""
    monkeypatch.setenv("CALLER_CLAIMS", setting)
    claims = {"iss": "https://a.test", "sub": "ann", "org": "acme"}

    assert name_from(jwt={"claims": claims}) == "https://a.test|acme|ann"
    assert name_from(jwt={"claims": {**claims, "org": "other"}}) == "https://a.test|other|ann"
    for missing in ("org", "sub"):
        with pytest.raises(CallerNotIdentified, match=f"the token has no claim {missing}"):
            name_from(jwt={"claims": {**claims, missing: ""}})


@pytest.mark.parametrize("setting", ["", " , "])
def test_an_empty_setting_is_the_default(monkeypatch: pytest.MonkeyPatch, setting: str) -> None:
    monkeypatch.setenv("CALLER_CLAIMS", setting)

    assert name_from(jwt={"claims": {"iss": "https://a.test", "sub": "ann"}}) == "https://a.test|ann"


def test_values_with_the_separator_do_not_make_two_callers_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLER_CLAIMS", "org,sub")
    values = [
        ("a|b", "c"),
        ("a", "b|c"),
        ("a%7Cb", "c"),
        ("a%257Cb", "c"),
        ("a b", "c"),
        ("a", "b c"),
        ("a|", "c"),
    ]
    names = {name_from(jwt={"claims": {"iss": "i", "org": org, "sub": sub}}) for org, sub in values}

    assert len(names) == len(values)


text = st.text("a|% 7C", min_size=1, max_size=6).filter(str.strip)


@given(st.tuples(text, text), st.tuples(text, text))
def test_two_callers_never_have_the_same_name(first: tuple[str, str], second: tuple[str, str]) -> None:
    names = [
        name_from(jwt={"claims": {"iss": issuer, "sub": subject}}) for issuer, subject in (first, second)
    ]

    assert (names[0] == names[1]) == (first == second)


def test_the_caller_of_an_identity_pool_is_its_identity_and_not_the_role_that_all_share() -> None:
    role = f"{ROLE}/Cognito_Authenticated/CognitoIdentityCredentials"
    ann, bob = (
        name_from(
            iam={
                "userArn": role,
                "callerId": f"AROA:{name}",
                "cognitoIdentity": {"amr": ["authenticated"], "identityId": name, "identityPoolId": "p"},
            }
        )
        for name in ("us-east-1:ann", "us-east-1:bob")
    )

    assert (ann, bob) == ("cognito|us-east-1:ann", "cognito|us-east-1:bob")


@pytest.mark.parametrize("identity", [None, {}, {"identityId": None}, {"identityId": ""}], ids=repr)
def test_a_signed_request_without_an_identity_of_a_pool_is_its_role(identity: Any) -> None:
    """API Gateway sends `cognitoIdentity: null` with other signed requests."""
    assert name_from(iam={"userArn": f"{ROLE}/deployer/s", "cognitoIdentity": identity}) == f"{ROLE}/deployer"


def test_the_caller_of_a_lambda_authorizer_is_its_principal() -> None:
    """The function returns it in its context: HTTP APIs do not pass on what stands beside that.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html
    """
    assert name_from(**{"lambda": {"principalId": "ann", "plan": "free"}}) == "lambda|ann"
    assert name_from(**{"lambda": {"principalId": "a|b"}}) == "lambda|a%7Cb"


@pytest.mark.parametrize(
    "authorizer",
    [
        {},
        {"iam": None},
        {"iam": {"userArn": ""}},
        {"iam": {"accountId": "123456789012", "userArn": None}},
        {"jwt": None},
        {"jwt": {}},
        {"lambda": None},
        {"lambda": {}},
        {"lambda": {"plan": "free"}},
        {"lambda": {"principalId": ""}},
        {"lambda": {"principalId": None}},
        {"something": "new"},
    ],
    ids=repr,
)
def test_an_authorizer_that_names_nobody_is_refused(authorizer: dict[str, Any]) -> None:
    with pytest.raises(CallerNotIdentified):
        name_from(**authorizer)


def test_callers_of_different_authorizers_have_different_names() -> None:
    names = {
        name_from(jwt={"claims": {"iss": "https://a.test", "sub": "ann"}}),
        name_from(**{"lambda": {"principalId": "ann"}}),
        name_from(iam={"userArn": "ann"}),
        name_from(iam={"userArn": "x", "cognitoIdentity": {"identityId": "ann"}}),
    }

    assert len(names) == 4
    assert names.isdisjoint({ANYBODY, EVENTS})


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

    assert inside == Caller("ann", one_tenant=one_tenant, person="ann", may_decide=True)
    assert current_caller().name == ANYBODY


@pytest.mark.parametrize(
    ("authorizer", "person"),
    [
        (None, ANYBODY),
        ({"iam": {"userArn": "arn:aws:iam::1:user/ann"}}, "arn:aws:iam::1:user/ann"),
        (
            {"iam": {"userArn": "arn:aws:sts::1:assumed-role/staff/ann"}},
            "arn:aws:sts::1:assumed-role/staff/ann",
        ),
        (
            {
                "iam": {
                    "userArn": "arn:aws:sts::1:assumed-role/pool/CognitoIdentityCredentials",
                    "cognitoIdentity": {"identityId": "eu-central-1:ann"},
                }
            },
            "cognito|eu-central-1:ann",
        ),
        ({"jwt": {"claims": {"iss": "https://a.test", "sub": "ann", "org": "acme"}}}, "https://a.test|ann"),
        ({"jwt": {"claims": {"iss": "https://a.test", "org": "acme"}}}, "https://a.test|acme"),
        ({"lambda": {"principalId": "ann"}}, "lambda|ann"),
    ],
)
def test_people_who_call_under_one_name_are_told_apart(
    monkeypatch: pytest.MonkeyPatch, authorizer: dict[str, Any] | None, person: str
) -> None:
    """The name of a role has no session, and that of a token may be an organisation's."""
    monkeypatch.setenv("TENANCY", "many")
    monkeypatch.setenv("CALLER_CLAIMS", "org")
    with caller_of({"requestContext": {"authorizer": authorizer}}):
        assert current_caller().person == person
