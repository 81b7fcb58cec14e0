"""State "Record failure": ends a run that will have no message, in the table and upstream."""

import json
from collections.abc import Mapping
from typing import Annotated

from pydantic import BeforeValidator

from upcall.driving import REFUSED
from upcall.models import Failure, Handle, Model, Usage
from upcall.run import Ending
from upcall.run_apis import run_api
from upcall.step import step
from upcall.store import run_store


def _in_words(failure: Mapping[str, str]) -> Mapping[str, str]:
    """A caught error's cause may be Lambda's document of an exception, or nothing: have words."""
    code = failure["code"].removeprefix(
        "States."
    )  # Step Functions' own: a workflow cannot fail by such a name
    try:
        message = str(json.loads(failure["message"])["errorMessage"])
    except (ValueError, TypeError, KeyError):
        message = failure["message"] or f"{code}, for no reason that was told"
    return {**failure, "code": code, "message": message}


class RecordFailure(Model):
    """Why the run ends, and whether it may still be at work upstream."""

    run_id: str
    failure: Annotated[Failure, BeforeValidator(_in_words)]
    handle: Handle | None = None
    still_running: bool = False
    usage: Usage = Usage()


@step
def lambda_handler(event: RecordFailure) -> Ending:
    """Record the failure, then cancel upstream; a run that has ended already keeps its ending."""
    run = run_store().get(event.run_id)
    if not run.ended:
        run = run_store().failed(run, event.failure, event.usage)
    if (event.still_running or event.failure.code == REFUSED) and run.handle is not None:
        run_api(run.run_api).cancel(run.handle)
    return Ending.of(run, run_store().message(run))
