import json
from typing import Any

import pytest
from support.sample_events import Invoke, Recorded, sample

from local.openai_emulator import Call, CallTools, Say
from local.stack import LocalStack
from upcall.aws.run_repository import DynamoDBRunRepository
from upcall.domain.run import Run


def outputs_of(run: Run, invoke: Invoke) -> dict[str, Any]:
    """The event of the round that a run is in, with an output for its call."""
    assert run.upstream_run is not None
    handle = run.upstream_run.model_dump()
    polled = invoke("PollRunFunction", sample("poll_run", run_id=run.run_id, handle=handle))
    (call,) = polled["tool_calls"]
    event = sample("submit_tool_outputs", run_id=run.run_id, handle=handle)
    event["tool_calls"] = [call]
    event["tool_outputs"][0]["call_id"] = call["call_id"]
    return event


def test_outputs_go_upstream_and_into_the_ledger(
    invoke: Invoke, created: Recorded, store: DynamoDBRunRepository
) -> None:
    run = created(CallTools((Call("fetch", "{}"),)), Say("Done."))
    event = outputs_of(run, invoke)
    done = invoke("SubmitToolOutputsFunction", event)

    found = store.get_run(run.run_id)
    assert found.upstream_run is not None
    assert found.upstream_run.model_dump() == done["handle"] != event["handle"]
    assert (found.round, found.tool_calls, found.usage.total_tokens) == (1, 1, 144)
    (entry,) = store.get_ledger(run.run_id)
    assert entry.output.output == event["tool_outputs"][0]["output"]


def test_a_second_try_submits_nothing(
    invoke: Invoke, created: Recorded, store: DynamoDBRunRepository, laptop: LocalStack
) -> None:
    run = created(CallTools((Call("fetch", "{}"),)), Say("Done."))
    event = outputs_of(run, invoke)

    assert invoke("SubmitToolOutputsFunction", event) == invoke("SubmitToolOutputsFunction", event)
    assert len(laptop.emulator.brain.heard[run.model]) == 2
    assert store.get_run(run.run_id).usage.total_tokens == 144


@pytest.mark.parametrize(
    "given", [None, [], "done", {}, {"call_id": "another", "outcome": "ok", "output": "x"}], ids=repr
)
def test_what_is_no_output_of_the_call_is_an_error_that_the_model_reads(
    invoke: Invoke, created: Recorded, laptop: LocalStack, given: Any
) -> None:
    run = created(CallTools((Call("fetch", "{}"),)), Say("Done."))
    event = outputs_of(run, invoke)
    event["tool_outputs"] = [given]
    invoke("SubmitToolOutputsFunction", event)

    ((exchange,),) = laptop.emulator.brain.heard[run.model][-1].rounds
    words = "The tool fetch gave no answer that can be read. Whether it had an effect is not known."
    assert json.loads(exchange.output) == {"error": words}
