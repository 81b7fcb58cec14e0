"""Why a run ended without a message."""

import json
import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator

from upcall.domain.errors import RequestRejected
from upcall.domain.model import Model
from upcall.domain.status import FailureStatus

MAX_FAILURE_CHARACTERS = 4000
MAX_CODE_CHARACTERS = 200
"""Step Functions allows 32,768 characters for the cause of a failed execution and 256 for its error."""

_LEFT_OUT = re.compile(r"… \([\d,]+ characters more\)")
"""The end of a message that was shortened before. A failure is parsed again with each record and event."""


def _shorten(message: str) -> str:
    left_out = len(message) - MAX_FAILURE_CHARACTERS
    if left_out <= 0 or _LEFT_OUT.fullmatch(message, MAX_FAILURE_CHARACTERS):
        return message
    return f"{message[:MAX_FAILURE_CHARACTERS]}… ({left_out:,} characters more)"


class Failure(Model):
    """Why a run ended without a message. A long message is shortened, a long code is cut."""

    status: FailureStatus = "failed"
    code: Annotated[str, AfterValidator(lambda code: code[:MAX_CODE_CHARACTERS])]
    message: Annotated[str, AfterValidator(_shorten)]


def rejection(error: RequestRejected) -> Failure:
    """The failure of a run whose request the server rejected.

    It is a value and not an exception, because Lambda logs messages of exceptions, and servers quote what
    they were sent.
    """
    return Failure(code=type(error).__name__, message=str(error))


def parse_caught_error(failure: Mapping[str, str]) -> Mapping[str, str]:
    """The failure in an error that the workflow caught.

    Its message may be Lambda's JSON document of an exception, or empty. The code loses the prefix `States.`,
    which is reserved: a workflow cannot fail with it.
    """
    code = failure["code"].removeprefix("States.")
    try:
        message = str(json.loads(failure["message"])["errorMessage"])
    except (ValueError, TypeError, KeyError):
        message = failure["message"] or f"{code}, without a message"
    return {**failure, "code": code, "message": message}
