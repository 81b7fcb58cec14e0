from upcall.domain.failure import Failure
from upcall.domain.state_budget import output_budget
from upcall.domain.tool_calls import ToolCall
from upcall.domain.upstream_run import UpstreamSnapshot
from upcall.domain.usage import Usage

FAILURE = Failure(status="expired", code="expired", message="Too late.")
USAGE = Usage(total_tokens=3)


def test_a_failed_snapshot_has_the_status_of_its_failure() -> None:
    snapshot = UpstreamSnapshot.failed(FAILURE, USAGE)

    assert (snapshot.status, snapshot.usage, snapshot.still_running) == ("expired", USAGE, False)


def test_a_stopped_snapshot_says_that_the_run_goes_on_upstream() -> None:
    snapshot = UpstreamSnapshot.stopped(FAILURE, USAGE)

    assert (snapshot.status, snapshot.usage, snapshot.still_running) == ("expired", USAGE, True)


def test_a_snapshot_that_requires_action_has_the_budget_of_each_output() -> None:
    calls = (ToolCall(call_id="c1", name="fetch", arguments="{}"),)
    snapshot = UpstreamSnapshot.requires_action(calls, USAGE)

    assert (snapshot.status, snapshot.max_output_bytes) == ("requires_action", output_budget(calls))
