"""State "Poll run": watches the run for one poll window and says how it stands."""

from upcall import settings
from upcall.driving import refusal
from upcall.errors import Refused
from upcall.models import Handle, Model, Snapshot, Usage
from upcall.polling import watch
from upcall.run_apis import run_api
from upcall.step import step


class PollRun(Model):
    """The run to watch, where it lives upstream, and how long it may still take."""

    run_id: str
    handle: Handle
    seconds_left: float


@step
def lambda_handler(event: PollRun) -> Snapshot:
    """Return as soon as something changes, or when the window closes."""
    api = run_api(event.handle.run_api)
    window = min(settings.poll_window_seconds(), max(event.seconds_left, 0))
    try:
        return watch(lambda: api.poll(event.handle), window)
    except Refused as error:
        return Snapshot.failed(refusal(error), Usage())
