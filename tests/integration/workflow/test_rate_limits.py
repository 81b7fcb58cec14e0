"""Many runs at once against a server with a rate limit: a turn waits until the server has room for it."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from support import fast_stack
from support.runs import Runs

from local.openai_emulator import Call, CallTools, Fault, Say
from local.stack import LocalStack
from upcall.aws.rate_limit_repository import DynamoDBRateLimitRepository
from upcall.domain import rate_limit
from upcall.domain.errors import TransientError
from upcall.domain.upstream_run import RunApiName

RUN_APIS: list[RunApiName] = ["responses", "assistants", "agents"]
MINUTE_SECONDS = 4.0


@pytest.fixture
def short_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A minute of the server's limits takes four seconds, and workflows wait as long as they say."""
    monkeypatch.setattr(rate_limit, "MINUTE_SECONDS", MINUTE_SECONDS)
    monkeypatch.setattr(fast_stack, "WORKFLOW_SPEED", 1)
    monkeypatch.setattr(fast_stack, "POLL_SPEED", 1)


@pytest.mark.usefixtures("short_minutes")
def test_runs_at_once_are_hardly_refused(local_stack: LocalStack, runs: Runs) -> None:
    limits = local_stack.emulator.models.rate_limits
    model = local_stack.emulator.script(Say("Done."))
    limits.limit(model, 12, minute_seconds=MINUTE_SECONDS)
    refused = limits.refused
    with ThreadPoolExecutor(8) as pool:
        started = list(pool.map(lambda _: runs.post({"prompt": "Go.", "model": model}), range(36)))

    ended = [runs.wait_for_end(response.json()["run_id"]) for response in started]

    assert {each.run["status"] for each in ended} == {"completed"}
    assert limits.refused - refused <= 3


@pytest.mark.parametrize("run_api", RUN_APIS)
def test_a_turn_over_the_limit_waits(
    local_stack: LocalStack, runs: Runs, run_api: RunApiName, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_limit, "MINUTE_SECONDS", 1)
    model = local_stack.emulator.script(CallTools((Call.of("fetch", url="x"),)), Say("Done."))
    local_stack.emulator.models.rate_limits.limit(model, 1, minute_seconds=1)

    ended = runs.run("Go.", model=model, run_api=run_api)

    assert ended.run["status"] == "completed"
    assert len(ended.conversations) == 2


@pytest.mark.parametrize("run_api", RUN_APIS)
def test_one_refusal_holds_the_others_back(local_stack: LocalStack, runs: Runs, run_api: RunApiName) -> None:
    fault = Fault("create", 429, {"Retry-After": "500"})
    model = local_stack.emulator.models.script(Say("Done."), faults=[fault])
    first = runs.run("Go.", model=model, run_api=run_api, limits={"seconds": 1})
    assert first.run["failure"]["code"] == "limit_seconds"
    assert local_stack.emulator.models.remaining_faults(model) == []

    second = runs.run("Go.", model=model, run_api=run_api, limits={"seconds": 1})

    assert second.run["failure"]["code"] == "limit_seconds"
    assert "rate limit" in second.run["failure"]["message"]
    assert second.conversations == []


def test_a_table_that_is_throttled_holds_no_run_back(
    local_stack: LocalStack, runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def throttle(*_: object, **__: object) -> None:
        raise TransientError("ProvisionedThroughputExceededException")

    for method in ("get", "begin", "take_ticket", "update"):
        monkeypatch.setattr(DynamoDBRateLimitRepository, method, throttle)

    assert runs.run_script(Say("Done.")).run["status"] == "completed"


def test_hostile_headers_hold_no_run_back(runs: Runs) -> None:
    headers = {
        "x-ratelimit-limit-requests": "9" * 4000,
        "x-ratelimit-remaining-requests": "-1",
        "x-ratelimit-reset-requests": "1h" * 1000,
        "x-ratelimit-limit-tokens": "nan",
        "x-ratelimit-remaining-tokens": "inf",
        "Retry-After": "-5",
    }
    ended = runs.run_script(Say("Done."), faults=[Fault("create", 429, headers)])

    assert ended.run["status"] == "completed"
