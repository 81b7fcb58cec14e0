"""Requests that wait, in an account that may run few functions at once: nothing else starves."""

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime

import httpx
import pytest
from support.function_changes import function_changes
from support.run_records import new_run
from support.runs import Runs
from support.waiting import wait_until

from local.openai_emulator import Say
from local.stack import LocalStack
from upcall.aws.run_repository import DynamoDBRunRepository

ACCOUNT_CONCURRENCY = 10
"""Of a new account."""

PLACES = {"WAITING_REQUESTS_PER_CALLER": "4"}
NO_BOUND = {"WAITING_REQUESTS_PER_CALLER": "100"}


@pytest.fixture
def hanging_run(
    runs: Runs, repository: DynamoDBRunRepository, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """A run that nothing works on: no function of its own is throttled."""
    monkeypatch.setattr(
        runs.http, "timeout", httpx.Timeout(60)
    )  # on a small machine sixty requests take long
    run_id = repository.add_run(new_run(created_at=datetime.now(UTC))).run_id
    yield run_id
    runs.http.post(f"/runs/{run_id}/cancel")


class WaitingCallers:
    """Sixty requests that wait for one run; a context manager. A request that is throttled is repeated.

    They share a client: sixty that read their certificates would keep the machine busier than the requests.
    """

    def __init__(self, local_stack: LocalStack, run_id: str) -> None:
        self._url = f"{local_stack.endpoints.api}/runs/{run_id}?wait=25"
        self._client = httpx.Client(timeout=120, limits=httpx.Limits(max_connections=60))
        self._threads = ThreadPoolExecutor(60)
        self.futures: list[Future[httpx.Response]] = []
        self.throttled = 0
        self._counting = threading.Lock()

    def __enter__(self) -> "WaitingCallers":
        self.futures = [self._threads.submit(self._request) for _ in range(60)]
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(cancel_futures=True)
        self._client.close()

    @property
    def held(self) -> int:
        """How many requests have no response yet."""
        return sum(not future.done() for future in self.futures)

    def _request(self) -> httpx.Response:
        pause = threading.Event()
        for number in range(1, 60):
            response = self._client.get(self._url)
            if response.status_code != 503:
                return response
            with self._counting:
                self.throttled += 1
            pause.wait(min(0.05 * number, 1))
        return response


def test_while_sixty_requests_want_to_wait_runs_go_on_and_other_requests_are_answered(
    local_stack: LocalStack, runs: Runs, hanging_run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with function_changes(local_stack, "GetRunFunction", environment=PLACES):
        monkeypatch.setattr(local_stack.runner, "concurrency", ACCOUNT_CONCURRENCY)
        with WaitingCallers(local_stack, hanging_run) as callers:
            wait_until(lambda: callers.held <= 4, "the answers to those that may not wait", 60)

            model = local_stack.emulator.script(Say("Done."))
            accepted = runs.post({"prompt": "Go.", "model": model})
            assert accepted.status_code == 202
            run_id = accepted.json()["run_id"]
            runs.wait_for_execution(run_id)
            shown = runs.http.get(f"/runs/{run_id}")
            assert (shown.status_code, shown.json()["status"]) == (200, "completed")
            assert runs.http.get(f"/runs/{hanging_run}").json()["status"] == "queued"
            assert runs.http.get("/runs").status_code == 200

            runs.http.post(f"/runs/{hanging_run}/cancel")
            responses = [future.result() for future in callers.futures]

    assert {response.status_code for response in responses} == {200}
    sent_away = [each for each in responses if each.headers.get("Retry-After") == "5"]
    assert sent_away, "the others have waited, four at a time; how many do depends on the machine's load"


def test_without_a_bound_sixty_requests_that_wait_take_all_functions_of_the_account(
    local_stack: LocalStack, runs: Runs, hanging_run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the bound prevents."""
    with function_changes(local_stack, "GetRunFunction", environment=NO_BOUND):
        monkeypatch.setattr(local_stack.runner, "concurrency", ACCOUNT_CONCURRENCY)
        with WaitingCallers(local_stack, hanging_run) as callers:
            wait_until(lambda: callers.throttled > 100, "requests that are throttled", 60)
            refused = runs.post({"prompt": "Go."})
            monkeypatch.setattr(local_stack.runner, "concurrency", None)
            runs.http.post(f"/runs/{hanging_run}/cancel")
            for future in callers.futures:
                future.result()

    assert (refused.status_code, refused.json()) == (503, {"message": "Service Unavailable"})


def test_with_a_reserved_concurrency_requests_that_wait_leave_the_rest_of_the_account_alone(
    local_stack: LocalStack, runs: Runs, hanging_run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of all callers together, without a bound for each."""
    changes = function_changes(local_stack, "GetRunFunction", environment=NO_BOUND, reserved_concurrency=4)
    with changes:
        monkeypatch.setattr(local_stack.runner, "concurrency", ACCOUNT_CONCURRENCY)
        with WaitingCallers(local_stack, hanging_run) as callers:
            wait_until(lambda: callers.throttled > 60, "requests that are throttled", 60)
            model = local_stack.emulator.script(Say("Done."))
            accepted = runs.post({"prompt": "Go.", "model": model})
            assert accepted.status_code == 202
            runs.wait_for_execution(accepted.json()["run_id"])
            listed = runs.http.get("/runs?status=completed").json()["runs"]
            runs.http.post(f"/runs/{hanging_run}/cancel")
            for future in callers.futures:
                future.result()

    assert accepted.json()["run_id"] in {run["run_id"] for run in listed}
