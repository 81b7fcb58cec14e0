"""Who calls, by the word of API Gateway's authoriser, and which runs they may see: their own.

Where the operator says that the stack has one tenant, every caller may see every run.
"""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from upcall import settings
from upcall.run import Run
from upcall.store import no_such_run, run_store

ANYBODY: Final = "anybody"
"""Owns the runs of an API without an authoriser, such as the laptop's."""

EVENTS: Final = "events"
"""Owns the runs that events ask for."""

MAX_CHARACTERS: Final = 256
"""Of a caller's name: it is part of an index's key, which DynamoDB bounds at 2,048 bytes."""

_SSO: Final = "AWSReservedSSO_"
"""Begins the names of the roles of IAM Identity Center, whose session names are user names."""

_caller: ContextVar[str] = ContextVar("caller", default=ANYBODY)


@contextmanager
def calling(event: Mapping[str, Any]) -> Iterator[None]:
    """Have the caller of a request to an HTTP API (payload 2.0) known while it is answered."""
    token = _caller.set(name_of(event))
    try:
        yield
    finally:
        _caller.reset(token)


def caller() -> str:
    """The name of the caller whose request is being answered."""
    return _caller.get()


def seen_by_caller() -> str | None:
    """The owner whose runs the caller may see; None for those of all."""
    return None if settings.one_tenant() else caller()


def callers_run(run_id: str) -> Run:
    """A run that the caller may see. Raises NotFound, in the same words whether it is there or not."""
    run = run_store().get(run_id)
    if run.owner != (seen_by_caller() or run.owner):
        raise no_such_run(run_id)
    return run


def sees_stacks_own(run: Run) -> bool:
    """Whether a run may read what is the stack's and no caller's, such as its inbox."""
    return run.owner == EVENTS or settings.one_tenant()


def name_of(event: Mapping[str, Any]) -> str:
    """The caller's name: the ARN of a user or role, or issuer and subject of a token.

    A session's name is left out of a role's, because whoever takes on the role chooses it and SDKs make
    up a new one each time; but for roles of IAM Identity Center, where it tells people apart.
    """
    authorizer = event.get("requestContext", {}).get("authorizer") or {}
    if arn := (authorizer.get("iam") or {}).get("userArn"):
        return _short(_without_session(arn))
    claims = (authorizer.get("jwt") or {}).get("claims") or {}
    if subject := claims.get("sub"):
        return _short(f"{claims.get('iss', '')} {subject}")
    return ANYBODY


def _without_session(arn: str) -> str:
    kind, _, rest = arn.partition(":assumed-role/")
    role, _, session = rest.partition("/")
    if not rest or role.startswith(_SSO) or not session:
        return arn
    return f"{kind}:assumed-role/{role}"


def _short(name: str) -> str:
    return name if len(name) <= MAX_CHARACTERS else hashlib.sha256(name.encode()).hexdigest()
