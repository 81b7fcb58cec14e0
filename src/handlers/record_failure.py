"""State "Record failure": ends a run that will have no message, in the table and upstream."""

from typing import Annotated

from pydantic import BeforeValidator

from upcall.causes import in_words
from upcall.driving import REFUSED
from upcall.models import Failure, Handle, Model, Usage
from upcall.run import Ending
from upcall.run_apis import run_api
from upcall.step import step
from upcall.store import run_store


class RecordFailure(Model):
    """Why the run ends, and whether it may still be at work upstream."""

    run_id: str
    failure: Annotated[Failure, BeforeValidator(in_words)]
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
