"""Batches that no execution works on are started again or cancelled. The workflow and the table are real."""

from support.batches import Batches
from support.event_listener import EventListener
from support.runs import Runs
from support.sample_events import Invoke, sample_event

from local.openai_emulator import Hang, Say
from local.stack import LocalStack
from upcall.use_cases.sweep_batches import MIN_AGE


def test_a_batch_that_was_recorded_and_never_started_completes(
    invoke: Invoke, local_stack: LocalStack, batches: Batches, event_listener: EventListener
) -> None:
    model = local_stack.emulator.script(Say("Better late than never."))
    lost = batches.record([{"prompt": "Go.", "model": model}], age=2 * MIN_AGE).batch_id

    assert invoke("SweepBatchesFunction", sample_event("sweep_batches"))["restarted"] >= 1

    assert batches.wait_for_end(lost)["status"] == "completed"
    assert [each["message"] for each in batches.results(lost)] == ["Better late than never."]
    (event,) = event_listener.wait_for_events(lost)
    assert event["detail-type"] == "Batch Completed"


def test_a_batch_whose_execution_was_stopped_is_cancelled_with_its_runs(
    invoke: Invoke, local_stack: LocalStack, batches: Batches, runs: Runs, event_listener: EventListener
) -> None:
    model = local_stack.emulator.script(Hang())
    inputs = [{"prompt": "Go.", "model": model}] * 2
    stopped = batches.lose_execution(inputs, age=2 * MIN_AGE)

    assert invoke("SweepBatchesFunction", sample_event("sweep_batches"))["cancelled"] >= 1

    ended = batches.wait_for_end(stopped)
    assert (ended["status"], ended["failure"]["code"]) == ("cancelled", "execution_aborted")
    started, waiting = batches.results(stopped)
    assert runs.http.get(f"/runs/{started['run_id']}").json()["status"] == "cancelled"
    assert waiting["failure"]["code"] == "not_started"
    (event,) = event_listener.wait_for_events(stopped)
    assert event["detail-type"] == "Batch Cancelled"


def test_a_batch_that_is_worked_on_is_left_alone(
    invoke: Invoke, local_stack: LocalStack, batches: Batches
) -> None:
    model = local_stack.emulator.script(Hang())
    inputs = [{"prompt": "Go.", "model": model}]
    batch_id = batches.lose_execution(inputs, age=2 * MIN_AGE)
    batches.repository.restart_batch(batches.repository.get_batch(batch_id))
    invoke("SweepBatchesFunction", sample_event("sweep_batches"))

    invoke("SweepBatchesFunction", sample_event("sweep_batches"))

    assert batches.get(batch_id)["attempt"] == 2
    assert batches.cancel(batch_id).status_code == 200
    assert batches.wait_for_end(batch_id)["counts"]["cancelled"] == 1
