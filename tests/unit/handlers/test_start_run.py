import json

from support.events import Invoke, sample

from upcall.store import RunStore


def test_a_request_is_accepted_with_the_runs_id_and_its_location(invoke: Invoke) -> None:
    response = invoke("StartRunFunction", sample("start_run"))
    accepted = json.loads(response["body"])

    assert response["statusCode"] == 202
    assert response["headers"]["Content-Type"] == "application/json"
    assert response["headers"]["Location"] == f"/runs/{accepted['run_id']}"
    assert accepted["status"] == "queued"


def test_the_record_holds_what_was_asked_and_the_defaults(invoke: Invoke, store: RunStore) -> None:
    response = invoke("StartRunFunction", sample("start_run"))
    run = store.get(json.loads(response["body"])["run_id"])

    assert run.prompt == "Summarise https://example.com"
    assert (run.assistant, run.model, run.run_api) == ("summarizer", "gpt-5.4-mini", "responses")
