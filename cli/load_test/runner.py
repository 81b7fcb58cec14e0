"""Starts the runs of a load test over HTTP, at most `concurrency` at a time, and waits for their ends."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

from cli.backends.base import build_run_request
from cli.load_test.config import LoadTestConfig
from cli.load_test.event_listener import EventListener
from upcall.client import UpcallClient
from upcall.domain.errors import UpcallError
from upcall.domain.views import RunView

RUN_TIMEOUT_SECONDS = 600
"""A run that has not ended by then is lost: the workflow's retries take minutes at most."""

POLL_INTERVAL_SECONDS = 20
"""Between two requests for a run, if its final event has not been received."""


@dataclass(frozen=True)
class RunResult:
    """One run of a load test. Times are seconds since the test started.

    `run_id` is None if no POST succeeded, `run` if no GET did; then `error` has the reason.
    """

    started: float
    ended: float
    run_id: str | None = None
    run: RunView | None = None
    error: str = ""

    @property
    def reached_end(self) -> bool:
        """Whether the API has shown a terminal status."""
        return self.run is not None and self.run.ended


def execute_runs(
    config: LoadTestConfig,
    api: UpcallClient,
    prompt: str,
    listener: EventListener,
    on_result: Callable[[RunResult], None],
) -> list[RunResult]:
    """Start all runs and follow them to their ends. `on_result` is called with each result."""
    request = build_run_request(prompt, {"run_api": config.run_api})
    start = time.monotonic()

    def elapsed() -> float:
        return time.monotonic() - start

    def execute_run() -> RunResult:
        started = elapsed()
        run_id = run = None
        try:
            run_id = api.start_run(request)
            while elapsed() - started < RUN_TIMEOUT_SECONDS:
                listener.wait_for_event(run_id, POLL_INTERVAL_SECONDS)
                run = api.get_run(run_id)
                if run.ended:
                    break
        except UpcallError as error:
            return RunResult(started, elapsed(), run_id, run, str(error))
        return RunResult(started, elapsed(), run_id, run)

    results = []
    with ThreadPoolExecutor(config.concurrency) as pool:
        for done in as_completed(pool.submit(execute_run) for _ in range(config.runs)):
            results.append(done.result())
            on_result(results[-1])
    return results
