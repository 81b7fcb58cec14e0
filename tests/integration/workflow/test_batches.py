"""Batches, told from outside over HTTP: from many inputs to as many results."""

from collections.abc import Iterator

import pytest
from support.batches import Batches
from support.event_listener import EventListener
from support.runs import Runs
from support.waiting import wait_until

from local.openai_emulator import Call, CallTools, Fail, Hang, Say
from local.stack import LocalStack
from upcall import config
from upcall.domain.prices import Price, PriceList


def test_every_line_has_a_result_in_the_order_of_the_inputs(
    batches: Batches, runs: Runs, local_stack: LocalStack, event_listener: EventListener
) -> None:
    """One line is a prompt, one has fields of its own, one cannot be read, and the model of one fails."""
    fetch = CallTools((Call.of("fetch", url=f"{local_stack.endpoints.pages}/tides"),))
    model = local_stack.emulator.script(fetch, Say("The tides."))
    failing = local_stack.emulator.script(Fail("server_error", "It broke."))
    inputs = [
        "Read.",
        {"prompt": "Read.", "custom_id": "b"},
        {"prompt": 1},
        {"prompt": "Go.", "model": failing},
    ]

    batch_id = batches.start(inputs, concurrency=4, defaults={"model": model}, metadata={"sprint": "7"})
    ended = batches.wait_for_end(batch_id)

    assert (ended["status"], ended["lines"], ended["under_way"], ended["waiting"]) == ("completed", 4, 0, 0)
    assert [ended["counts"][name] for name in ("completed", "failed", "cancelled")] == [2, 2, 0]
    results = batches.results(batch_id)
    assert [(each["line"], each["status"], each.get("message")) for each in results] == [
        (1, "completed", "The tides."),
        (2, "completed", "The tides."),
        (3, "failed", None),
        (4, "failed", None),
    ]
    assert (results[1]["custom_id"], results[2]["failure"]["code"]) == ("b", "invalid_line")
    assert "prompt" in results[2]["failure"]["message"]
    assert results[3]["failure"]["code"] == "server_error"
    assert batches.results(batch_id, "failures_url") == results[2:]
    assert runs.http.get(f"/runs/{results[0]['run_id']}").json()["tool_calls"] == 1
    total = sum(each["usage"]["total_tokens"] for each in results)
    assert ended["counts"]["usage"]["total_tokens"] == total > 0
    (event,) = event_listener.wait_for_events(batch_id)
    assert event["detail-type"] == "Batch Completed"
    assert event["detail"]["metadata"] == {"sprint": "7"}
    assert event["detail"]["counts"] == {
        **ended["counts"],
        "usage": {**ended["counts"]["usage"], "usd": None},
    }
    assert batches.manifest(batch_id)["counts"] == ended["counts"]


def test_the_same_request_with_the_same_key_is_the_same_batch(
    batches: Batches, local_stack: LocalStack
) -> None:
    model = local_stack.emulator.script(Say("Done."))
    key = f"key of {model}"
    batch_id = batches.start(["Go."], key=key, defaults={"model": model})
    batches.wait_for_end(batch_id)

    again = batches.post(["Go."], key=key, defaults={"model": model})
    other = batches.post(["Go.", "Stop."], key=key, defaults={"model": model})

    assert (again.status_code, again.json()["batch_id"], again.json()["status"]) == (
        202,
        batch_id,
        "completed",
    )
    assert (other.status_code, other.json()["detail"]) == (
        422,
        "this idempotency key stands for another request",
    )
    assert len(local_stack.emulator.models.conversations[model]) == 1


def test_a_batch_whose_execution_is_lost_goes_on_where_it_was_when_it_is_sent_again(
    batches: Batches, local_stack: LocalStack
) -> None:
    """As after a restart: the lines that have ended are not run again."""
    done, held = (
        local_stack.emulator.script(Say("Done.")),
        local_stack.emulator.script(Say("Late.", after_seconds=3)),
    )
    inputs = [{"prompt": "Go.", "model": done}] * 2 + [{"prompt": "Go.", "model": held}]
    key = f"key of {done}"
    batch_id = batches.start(inputs, key=key, concurrency=3)
    wait_until(lambda: batches.get(batch_id)["counts"]["completed"] == 2, "two lines")
    batches.stop_execution(batch_id)

    assert batches.start(inputs, key=key, concurrency=3) == batch_id
    ended = batches.wait_for_end(batch_id)

    assert (ended["status"], ended["attempt"], ended["counts"]["completed"]) == ("completed", 2, 3)
    assert [each["message"] for each in batches.results(batch_id)] == ["Done.", "Done.", "Late."]
    assert len(local_stack.emulator.models.conversations[done]) == 2


def test_a_cancelled_batch_cancels_its_runs_and_starts_no_other(
    batches: Batches, runs: Runs, local_stack: LocalStack, event_listener: EventListener
) -> None:
    model = local_stack.emulator.script(Hang())
    batch_id = batches.start(["Go."] * 10, concurrency=3, defaults={"model": model})
    batches.wait_for_runs(batch_id, 3)

    assert batches.cancel(batch_id).json()["status"] == "cancelling"
    ended = batches.wait_for_end(batch_id)

    assert (ended["status"], ended["counts"]["cancelled"]) == ("cancelled", 10)
    results = batches.results(batch_id)
    started = [each["run_id"] for each in results if "run_id" in each]
    assert len(started) == 3
    assert {runs.http.get(f"/runs/{run_id}").json()["status"] for run_id in started} == {"cancelled"}
    assert [each["failure"]["code"] for each in results if "run_id" not in each] == ["not_started"] * 7
    (event,) = event_listener.wait_for_events(batch_id)
    assert event["detail-type"] == "Batch Cancelled"
    assert batches.cancel(batch_id).status_code == 409


def test_a_batch_stops_when_more_lines_fail_than_are_tolerated(
    batches: Batches, local_stack: LocalStack
) -> None:
    model = local_stack.emulator.script(Fail("server_error", "It broke."))

    batch_id = batches.start(["Go."] * 20, concurrency=1, tolerated_failures=0.1, defaults={"model": model})
    ended = batches.wait_for_end(batch_id)

    assert (ended["status"], ended["failure"]["code"]) == ("failed", "tolerated_failures")
    assert ended["failure"]["message"] == "3 of 20 lines failed; 10.0% are tolerated."
    assert (ended["counts"]["failed"], ended["counts"]["cancelled"]) == (3, 17)


@pytest.fixture
def ten_cent_model(local_stack: LocalStack, runs: Runs, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A model each of whose answers costs 0.10 $."""
    model = local_stack.emulator.script(Say("Done."))
    tokens = runs.run("Go.", model=model).run["usage"]["output_tokens"]
    with monkeypatch.context() as patch:
        price = Price(input=0, output=100_000 / tokens)
        patch.setattr(config, "price_list", lambda: PriceList({model: price}))
        yield model


def test_a_budget_of_one_dollar_ends_a_batch_that_would_take_ten(
    batches: Batches, event_listener: EventListener, ten_cent_model: str
) -> None:
    """Ten runs use it up; the five that may be under way then go on."""
    batch_id = batches.start(["Go."] * 100, concurrency=5, budget_usd=1, defaults={"model": ten_cent_model})
    ended = batches.wait_for_end(batch_id)

    counts = ended["counts"]
    assert (ended["status"], ended["failure"]["code"]) == ("failed", "budget_usd")
    assert 10 <= counts["completed"] <= 15
    assert counts["completed"] + counts["cancelled"] == 100
    assert counts["usage"]["usd"] == pytest.approx(counts["completed"] / 10)
    results = batches.results(batch_id)
    assert sum(each["usage"].get("usd", 0) for each in results) == pytest.approx(counts["usage"]["usd"])
    (event,) = event_listener.wait_for_events(batch_id)
    assert event["detail-type"] == "Batch Failed"
    assert event["detail"]["counts"]["usage"]["usd"] == counts["usage"]["usd"]
