"""The caller of an HTTP request, as API Gateway's authorizer names it."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from upcall import config
from upcall.domain.caller import ANYBODY, Caller

MAX_NAME_CHARACTERS: Final = 256
"""Of a caller's name: it is an index's key, which has at most 2,048 bytes."""

_IDENTITY_CENTER_ROLE: Final = "AWSReservedSSO_"
"""Begins the names of roles of IAM Identity Center, whose session names are user names."""

_name: ContextVar[str] = ContextVar("caller_name", default=ANYBODY)


@contextmanager
def caller_of(event: Mapping[str, Any]) -> Iterator[None]:
    """Make the caller of a request to an HTTP API (payload 2.0) the current one."""
    token = _name.set(caller_name(event))
    try:
        yield
    finally:
        _name.reset(token)


def current_caller() -> Caller:
    """The caller of the current request."""
    return Caller(_name.get(), one_tenant=config.one_tenant())


def caller_name(event: Mapping[str, Any]) -> str:
    """The caller's name: the ARN of a user or role, or issuer and subject of a token.

    The session name is left out of a role's ARN, because whoever assumes the role chooses it, and SDKs make
    up a new one each time. Roles of IAM Identity Center are an exception: there it tells people apart.
    """
    authorizer = event.get("requestContext", {}).get("authorizer") or {}
    if arn := (authorizer.get("iam") or {}).get("userArn"):
        return _shorten(_without_session(arn))
    claims = (authorizer.get("jwt") or {}).get("claims") or {}
    if subject := claims.get("sub"):
        return _shorten(f"{claims.get('iss', '')} {subject}")
    return ANYBODY


def _without_session(arn: str) -> str:
    prefix, _, rest = arn.partition(":assumed-role/")
    role, _, session = rest.partition("/")
    if not rest or role.startswith(_IDENTITY_CENTER_ROLE) or not session:
        return arn
    return f"{prefix}:assumed-role/{role}"


def _shorten(name: str) -> str:
    return name if len(name) <= MAX_NAME_CHARACTERS else hashlib.sha256(name.encode()).hexdigest()
