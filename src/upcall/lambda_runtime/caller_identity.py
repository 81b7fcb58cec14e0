"""The caller of an HTTP request, as API Gateway's authorizer names it."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from upcall import config
from upcall.domain.caller import ANYBODY, Caller
from upcall.domain.errors import CallerNotIdentified

MAX_NAME_CHARACTERS: Final = 256
"""Of a caller's name: it is an index's key, which has at most 2,048 bytes."""

_IDENTITY_CENTER_ROLE: Final = "AWSReservedSSO_"
"""Begins the names of roles of IAM Identity Center, whose session names are user names."""

_identity: ContextVar[Mapping[str, Any] | None] = ContextVar("caller_identity", default=None)


@contextmanager
def caller_of(event: Mapping[str, Any]) -> Iterator[None]:
    """Make the caller of a request (HTTP API, payload 2.0) the current one. Raises CallerNotIdentified."""
    identity = {"name": caller_name(event), "person": _person(event), "may_decide": _may_decide(event)}
    token = _identity.set(identity)
    try:
        yield
    finally:
        _identity.reset(token)


def current_caller() -> Caller:
    """The caller of the current request."""
    identity = _identity.get() or {"name": ANYBODY, "person": ANYBODY}
    return Caller(**identity, one_tenant=config.one_tenant())


def caller_name(event: Mapping[str, Any]) -> str:
    """The caller's name: an ARN, or parts that are joined by `|`.

    without authorizer  `anybody`
    IAM                 the ARN of the user or role; `cognito|…` with the identity of an identity pool
    JWT                 the issuer and the claims of `config.caller_claims`
    Lambda authorizer   `lambda|…` with `principalId` in its context: HTTP APIs pass on nothing else

    The session name is left out of a role's ARN, because whoever assumes the role chooses it, and SDKs make
    up a new one each time. Roles of IAM Identity Center are an exception: there it tells people apart. Raises
    CallerNotIdentified if an authorizer names nobody.
    """
    authorizer = event.get("requestContext", {}).get("authorizer")
    if authorizer is None:
        return ANYBODY
    if iam := authorizer.get("iam"):
        identity = (iam.get("cognitoIdentity") or {}).get("identityId")
        if identity:
            return _join("cognito", identity)
        if arn := iam.get("userArn"):
            return _shorten(_without_session(arn))
        raise CallerNotIdentified("the request's signature names neither a user nor a role")
    if jwt := authorizer.get("jwt"):
        claims = jwt.get("claims") or {}
        return _join(str(claims.get("iss", "")), *(_claim(claims, name) for name in config.caller_claims()))
    if principal := (authorizer.get("lambda") or {}).get("principalId"):
        return _join("lambda", str(principal))
    raise CallerNotIdentified("the authorizer does not say who the caller is")


def _person(event: Mapping[str, Any]) -> str:
    """Who calls, as exactly as the authorizer says: with the session of a role, or the subject of a token."""
    authorizer = event.get("requestContext", {}).get("authorizer") or {}
    iam = authorizer.get("iam") or {}
    claims = (authorizer.get("jwt") or {}).get("claims") or {}
    if (arn := iam.get("userArn")) and not (iam.get("cognitoIdentity") or {}).get("identityId"):
        return _shorten(arn)
    if subject := claims.get("sub"):
        return _join(str(claims.get("iss", "")), str(subject))
    return caller_name(event)


def _may_decide(event: Mapping[str, Any]) -> bool:
    """Whether the caller may decide about tool calls, if the authorizer let it use the route for that.

    AWS credentials need a permission for that route, which is enough. Tokens are alike for all routes, so one
    needs the claim of `config.approver_claim`, whose value is a text, or a list in API Gateway's form:
    `[one two]`.
    """
    jwt = (event.get("requestContext", {}).get("authorizer") or {}).get("jwt")
    if not jwt:
        return True
    approver = config.approver_claim()
    if approver is None:
        return False
    name, value = approver
    held = str((jwt.get("claims") or {}).get(name, ""))
    return held == value or value in held.removeprefix("[").removesuffix("]").split()


def _claim(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not value.strip():
        raise CallerNotIdentified(f"the token has no claim {name}, which identifies the caller")
    return value


def _join(*parts: str) -> str:
    """The parts as one name. No other parts have the same name."""
    return _shorten("|".join(part.replace("%", "%25").replace("|", "%7C") for part in parts))


def _without_session(arn: str) -> str:
    prefix, _, rest = arn.partition(":assumed-role/")
    role, _, session = rest.partition("/")
    if not rest or role.startswith(_IDENTITY_CENTER_ROLE) or not session:
        return arn
    return f"{prefix}:assumed-role/{role}"


def _shorten(name: str) -> str:
    return name if len(name) <= MAX_NAME_CHARACTERS else hashlib.sha256(name.encode()).hexdigest()
