"""State "Save message": stores the final message of a completed run, once."""

from upcall.driving import refusal
from upcall.errors import Refused
from upcall.models import Handle, Model, Usage
from upcall.run import Ending
from upcall.run_apis import run_api
from upcall.step import step
from upcall.store import run_store


class SaveMessage(Model):
    """The completed run, and where it lives upstream."""

    run_id: str
    handle: Handle


@step
def lambda_handler(event: SaveMessage) -> Ending:
    """Store the message, or that the server refused it; a run that has ended already stays as it is."""
    run = run_store().get(event.run_id)
    if not run.ended:
        try:
            message = run_api(event.handle.run_api).message(event.handle)
        except Refused as error:
            run = run_store().failed(run, refusal(error), Usage())
        else:
            run = run_store().completed(run, message)
    return Ending.of(run, run_store().message(run))
