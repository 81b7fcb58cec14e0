"""The events of runs, told from outside over HTTP: each once, in order, whatever the reader's connection does."""

import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from support.fast_stack import pushed_runs
from support.function_changes import function_changes
from support.open_calls import LOOKUP_TOOL
from support.runs import Runs

from local.openai_emulator import Call, CallTools, Say
from local.stack import LocalStack

APIS = ["responses", "assistants", "agents"]


def read_events(http: httpx.Client, run_id: str, wait: int = 20) -> list[dict[str, Any]]:
    """All events of a run, in pages."""
    events: list[dict[str, Any]] = []
    ended, after = False, 0
    while not ended:
        page = http.get(f"/runs/{run_id}/events", params={"after": after, "wait": wait}).json()
        events += page["events"]
        ended, after = page["ended"], page["next"]
    return events


@pytest.mark.parametrize("pushed", [False, True], ids=["polled", "pushed"])
@pytest.mark.parametrize("api", APIS)
def test_a_run_with_two_rounds(runs: Runs, local_stack: LocalStack, api: str, pushed: bool) -> None:
    fetch = CallTools((Call.of("fetch", url=f"{local_stack.endpoints.pages}/tides"),) * 2)
    steps = (fetch, fetch, Say("Done."))
    if pushed:
        with pushed_runs(local_stack):
            run = runs.run_script(*steps, run_api=api).run
    else:
        run = runs.run_script(*steps, run_api=api).run

    events = read_events(runs.http, run["run_id"])

    one_round = [
        "run.requires_action",
        "tool_call.ended",
        "tool_call.ended",
        "round.ended",
        "run.in_progress",
    ]
    assert [event["type"] for event in events] == [
        "run.queued",
        "run.in_progress",
        *one_round,
        *one_round,
        "message.saved",
        "run.completed",
    ]
    assert [event["number"] for event in events] == list(range(1, len(events) + 1))
    calls = [event for event in events if event["type"] == "tool_call.ended"]
    assert sorted(call["call"] for call in calls) == ["1-1", "1-2", "2-1", "2-2"]
    assert all(call["output_bytes"] > 100 and call["started_at"] < call["at"] for call in calls)
    ended = events[-1]
    assert ended["usage"] == run["usage"]


def test_a_call_that_waits_for_its_caller(runs: Runs) -> None:
    """The event is there while the call waits."""
    run_id = runs.start_script(CallTools((Call.of("lookup", order=1),)), Say("Done."), tools=[LOOKUP_TOOL])
    (call,) = runs.wait_for_open_calls(run_id)
    waiting = runs.http.get(f"/runs/{run_id}/events").json()["events"][-1]
    assert (waiting["type"], waiting["call"], waiting["waits_for"]) == (
        "tool_call.waiting",
        call["id"],
        "output",
    )

    runs.give_outputs(run_id, {call["id"]: "42"})
    events = read_events(runs.http, run_id)

    numbers = {event["type"]: event["number"] for event in events}
    assert numbers["tool_call.waiting"] < numbers["tool_call.answered"] < numbers["tool_call.ended"]
    (ended,) = (event for event in events if event["type"] == "tool_call.ended")
    assert ended["waited_seconds"] >= 0


class CutReader:
    """Reads the events of a run. Its connection is cut off at random, before or after the response has come."""

    def __init__(self, http: httpx.Client, run_id: str, seed: int, stopped: threading.Event) -> None:
        self._http = http
        self._path = f"/runs/{run_id}/events"
        self._random = random.Random(seed)  # of a test
        self._stopped = stopped
        self.numbers: list[int] = []
        self.types: list[str] = []
        self.cuts = 0

    def read(self) -> None:
        """Read to the end, a page every second or two: a hundred readers share a small machine."""
        ended, after = False, 0
        while not ended and not self._stopped.wait(self._random.uniform(1, 2)):
            timeout = self._random.choice([0.01, 0.1, 1, 60])
            parameters = {"after": after, "limit": self._random.randint(1, 8), "wait": 1}
            try:
                response = self._http.get(self._path, params=parameters, timeout=timeout)
            except httpx.TransportError:
                self.cuts += 1
                continue
            if self._random.random() < 0.2:  # the response is lost on its way
                self.cuts += 1
                continue
            page = response.json()
            self.numbers += [event["number"] for event in page["events"]]
            self.types += [event["type"] for event in page["events"]]
            ended, after = page["ended"], page["next"]


@pytest.fixture
def places(local_stack: LocalStack) -> Iterator[None]:
    """Some of a hundred readers wait; the others are answered at once."""
    with function_changes(
        local_stack, "ListEventsFunction", environment={"WAITING_REQUESTS_PER_CALLER": "20"}
    ):
        yield


@pytest.mark.usefixtures("places")
def test_a_hundred_readers_that_are_cut_off_at_random_get_each_event_once_and_in_order(
    runs: Runs, local_stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = CallTools((Call.of("lookup", order=1), Call.of("lookup", order=2)))
    run_id = runs.start_script(slow, slow, slow, Say("Done."), tools=[LOOKUP_TOOL])
    limits, stopped = httpx.Limits(max_connections=100), threading.Event()
    monkeypatch.setattr(runs.http, "timeout", httpx.Timeout(60))

    with (
        httpx.Client(base_url=local_stack.endpoints.api, limits=limits) as http,
        ThreadPoolExecutor(100) as threads,
    ):
        readers = [CutReader(http, run_id, seed, stopped) for seed in range(100)]
        try:
            reading = [threads.submit(reader.read) for reader in readers]
            for _ in range(3):
                calls = runs.wait_for_open_calls(run_id, 2)
                stopped.wait(1)
                runs.give_outputs(run_id, {call["id"]: "42" for call in calls})
            for each in reading:
                each.result(timeout=300)
        finally:
            stopped.set()

    expected = read_events(runs.http, run_id)
    assert len(expected) == 2 + 3 * (1 + 2 + 2 + 2 + 2) + 2
    for reader in readers:
        assert reader.numbers == list(range(1, len(expected) + 1))
        assert reader.types == [event["type"] for event in expected]
    assert sum(reader.cuts for reader in readers) > 100
