import json
from datetime import UTC, datetime

from support.sample_events import Invoke, Recorded, sample

from local.openai_emulator import Hang, Say
from upcall.aws.run_repository import DynamoDBRunRepository
from upcall.domain.upstream_run import Message
from upcall.run_apis import get_run_api


def test_the_failure_is_recorded_and_the_run_cancelled_upstream(
    invoke: Invoke, recorded: Recorded, store: DynamoDBRunRepository
) -> None:
    run = recorded(Hang())
    made = invoke("CreateRunFunction", sample("create_run", run_id=run.run_id))
    event = sample("record_failure", run_id=run.run_id, handle=made["handle"])
    ending = invoke("RecordFailureFunction", event)

    assert (ending["status"], ending["failure"]["code"]) == ("failed", "limit_seconds")
    assert ending["usage"]["total_tokens"] == 144
    assert store.get_run(run.run_id).failure is not None
    polled = invoke("PollRunFunction", sample("poll_run", run_id=run.run_id, handle=made["handle"]))
    assert polled["status"] == "cancelled"


def test_a_run_that_was_never_created_has_nothing_to_cancel(invoke: Invoke, recorded: Recorded) -> None:
    event = sample("record_failure", run_id=recorded().run_id)
    del event["handle"]

    assert invoke("RecordFailureFunction", event)["status"] == "failed"


def test_the_document_of_an_exception_becomes_its_message(invoke: Invoke, recorded: Recorded) -> None:
    cause = json.dumps({"errorType": "RequestRejected", "errorMessage": "401: No key.", "stackTrace": ["x"]})
    event = sample("record_failure", run_id=recorded().run_id)
    event["failure"] = {"code": "RequestRejected", "message": cause}

    assert invoke("RecordFailureFunction", event)["failure"]["message"] == "401: No key."


def test_a_cause_that_is_plain_text_stays_as_it_is(invoke: Invoke, recorded: Recorded) -> None:
    event = sample("record_failure", run_id=recorded().run_id)
    event["failure"] = {"code": "Lambda.TooManyRequestsException", "message": "Rate exceeded."}

    failure = invoke("RecordFailureFunction", event)["failure"]
    assert (failure["code"], failure["message"]) == ("Lambda.TooManyRequestsException", "Rate exceeded.")


def test_what_step_functions_says_without_words_gets_some_and_a_name_that_a_workflow_can_fail_by(
    invoke: Invoke, recorded: Recorded
) -> None:
    event = sample("record_failure", run_id=recorded().run_id)
    event["failure"] = {"code": "States.Timeout", "message": ""}

    assert invoke("RecordFailureFunction", event)["failure"] == {
        "status": "failed",
        "code": "Timeout",
        "message": "Timeout, for no reason that was told",
    }


def test_a_completed_run_stays_completed(
    invoke: Invoke, created: Recorded, store: DynamoDBRunRepository
) -> None:
    run = created(Say("Done."))
    store.complete_run(run, Message(text="Done."), datetime.now(UTC))
    ending = invoke("RecordFailureFunction", sample("record_failure", run_id=run.run_id))

    assert (ending["status"], ending["failure"]) == ("completed", None)


def test_every_run_api_in_the_samples_exists() -> None:
    assert get_run_api(sample("record_failure")["handle"]["run_api"])
