"""What the workflow catches, in words for the record of a run."""

import json
from collections.abc import Mapping


def in_words(failure: Mapping[str, str]) -> Mapping[str, str]:
    """A caught error's cause may be Lambda's document of an exception, or nothing: have words.

    Names that begin with `States.` are Step Functions' own; a workflow cannot fail by one.
    """
    code = failure["code"].removeprefix("States.")
    try:
        message = str(json.loads(failure["message"])["errorMessage"])
    except (ValueError, TypeError, KeyError):
        message = failure["message"] or f"{code}, for no reason that was told"
    return {**failure, "code": code, "message": message}
