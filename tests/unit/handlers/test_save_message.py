from datetime import UTC, datetime

from support.sample_events import Invoke, Recorded, sample

from local.openai_emulator import Say
from upcall.aws.run_repository import DynamoDBRunRepository
from upcall.domain.failure import Failure
from upcall.domain.usage import Usage


def test_the_message_is_stored_and_the_run_completed(
    invoke: Invoke, created: Recorded, store: DynamoDBRunRepository
) -> None:
    run = created(Say("Grüße 😀"))
    assert run.upstream_run is not None
    event = sample("save_message", run_id=run.run_id, handle=run.upstream_run.model_dump())
    ending = invoke("SaveMessageFunction", event)

    assert (ending["run_id"], ending["status"], ending["failure"]) == (run.run_id, "completed", None)
    found = store.get_run(run.run_id)
    assert store.get_message(found) == "Grüße 😀"
    assert found.usage.total_tokens == ending["usage"]["total_tokens"] > 0
    assert invoke("SaveMessageFunction", event) == ending, "a second try changes nothing"


def test_a_late_message_does_not_undo_an_ending(
    invoke: Invoke, created: Recorded, store: DynamoDBRunRepository
) -> None:
    run = created(Say("Late."))
    assert run.upstream_run is not None
    store.record_failure(
        run, Failure(status="cancelled", code="cancelled", message="Stop."), Usage(), datetime.now(UTC)
    )
    event = sample("save_message", run_id=run.run_id, handle=run.upstream_run.model_dump())

    assert invoke("SaveMessageFunction", event)["status"] == "cancelled"
    assert store.get_message(store.get_run(run.run_id)) is None
