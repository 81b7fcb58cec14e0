"""Callbacks: how a run ended, posted to the address that its caller named, signed, until it arrives."""

import json
import random
from typing import Annotated, Final

import pydantic

from upcall import settings
from upcall.errors import InvalidInput, NotFound, OutcomeUnknown, ToolError, TryAgain
from upcall.field_errors import field_errors
from upcall.log import about, logger
from upcall.run import Ending
from upcall.secrets import secret
from upcall.store import run_store
from upcall.web.connection import Allowance, Transport
from upcall.web.urls import checked_url
from upcall.webhooks import TIMEOUT_SECONDS, post

TRY_FOR_SECONDS: Final = 86_400
"""A callback that has not arrived after a day is a dead letter."""

FIRST_PAUSE_SECONDS: Final = 30
LONGEST_PAUSE_SECONDS: Final = 7200

MAX_ANSWER_BYTES: Final = 65_536
"""Nothing of the answer matters but its status."""


class _Ending(Ending):
    run_id: Annotated[str, pydantic.Field(min_length=1, max_length=80)]


class _Announced(pydantic.BaseModel):
    """The event that announced the ending, as far as it matters here."""

    detail: _Ending


def call_back(event: str) -> None:
    """Post the ending in an announcement to its run's callback. Raises InvalidInput, TryAgain.

    The message's id is the same each time, so that a receiver can tell that it has it already.
    """
    try:
        ending = _Announced.model_validate_json(event).detail
    except pydantic.ValidationError as error:
        raise InvalidInput(*field_errors(error)) from error
    with about(run_id=ending.run_id):
        _post(ending)


def _post(ending: Ending) -> None:
    try:
        url = run_store().get(ending.run_id).callback_url
    except NotFound:
        url = None
    if url is None:
        logger.warning("no callback")
        return
    content = {
        "type": f"run.{ending.status}",
        "timestamp": ending.ended_at,
        "data": json.loads(ending.model_dump_json(exclude={"event", "has_callback"}, exclude_none=True)),
    }
    try:
        with Transport(Allowance(TIMEOUT_SECONDS, MAX_ANSWER_BYTES)) as guarded:
            key = secret(settings.callback_secret_name())
            post(str(checked_url(url)), key, f"msg_{ending.run_id}", content, guarded)
    except (ToolError, OutcomeUnknown) as error:
        logger.warning("callback not delivered")
        raise TryAgain(str(error)) from error
    logger.info("callback delivered")


def pause_seconds(tries: int) -> int:
    """How long to wait after so many tries: twice as long each time, and never all at once."""
    longest: int = min(FIRST_PAUSE_SECONDS * 2 ** min(tries - 1, 20), LONGEST_PAUSE_SECONDS)
    return round(longest * random.uniform(0.5, 1))  # noqa: S311  # spreads load, guards nothing
