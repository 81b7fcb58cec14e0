from support.events import Invoke, Recorded, sample

from local.emulator import Say
from upcall.models import Failure, Usage
from upcall.store import RunStore


def test_the_message_is_stored_and_the_run_completed(
    invoke: Invoke, created: Recorded, store: RunStore
) -> None:
    run = created(Say("Grüße 😀"))
    assert run.handle is not None
    event = sample("save_message", run_id=run.run_id, handle=run.handle.model_dump())
    ending = invoke("SaveMessageFunction", event)

    assert (ending["run_id"], ending["status"], ending["failure"]) == (run.run_id, "completed", None)
    found = store.get(run.run_id)
    assert store.message(found) == "Grüße 😀"
    assert found.usage.total_tokens == ending["usage"]["total_tokens"] > 0
    assert invoke("SaveMessageFunction", event) == ending, "a second try changes nothing"


def test_a_late_message_does_not_undo_an_ending(invoke: Invoke, created: Recorded, store: RunStore) -> None:
    run = created(Say("Late."))
    assert run.handle is not None
    store.failed(run, Failure(status="cancelled", code="cancelled", message="Stop."), Usage())
    event = sample("save_message", run_id=run.run_id, handle=run.handle.model_dump())

    assert invoke("SaveMessageFunction", event)["status"] == "cancelled"
    assert store.message(store.get(run.run_id)) is None
