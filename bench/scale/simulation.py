"""A discrete-event simulation of the deployed system under its quotas.

Throttling is as the services do it. API Gateway's is waited for by the caller. StartExecution is tried three
times by the SDK, then the caller gets a 503 and tries again. Lambda's error is retried as the workflow says,
six times, then the run fails. A 429 of OpenAI makes the run pause, and the seventh in a row fails it. Step
Functions delays state transitions; the SDK waits for DynamoDB and EventBridge. A webhook that is refused is
replaced by the time-out of the task that waits.
"""

import heapq
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from bench.scale.limits import Lambda, TokenBucket
from bench.scale.quotas import Quota
from bench.scale.run_model import MEMORY_GB, SPREAD, TURNS, WRITE_STEPS, RunModel
from bench.waiting.usage import Usage

SDK_ATTEMPTS = 3
TASK_RETRIES = 6
MAX_ERRORS = 7
MAX_RETRY_SECONDS, MAX_PAUSE_SECONDS = 60.0, 30.0
"""As in statemachine/run.asl.yaml and docs/runs.md."""

WEBHOOK_TIMEOUT_SECONDS = 60.0
POLL_WINDOW_SECONDS = 60.0
INDEX_WRITES_PER_STEP = 1


@dataclass(eq=False, slots=True)
class Group:
    """So many runs that do the same at the same time. The exact simulation has groups of one."""

    arrived: float
    turn: int = 0
    attempts: int = 0
    errors: int = 0
    remaining: float = 0.0


@dataclass
class Result:
    """What came of the runs. Times are in seconds.

    `throttled` counts runs by quota, `first` is the quota that throttled first, and when. `peaks` are uses a
    second, means over a minute, or numbers at once.
    """

    runs: int
    group: int
    completed: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    ended: list[float] = field(default_factory=list)
    throttled: Counter[str] = field(default_factory=Counter)
    first: tuple[str, float] | None = None
    peaks: dict[str, float] = field(default_factory=dict)
    usage: Usage = field(default_factory=Usage)
    turns: int = 0

    def latency(self, share: float) -> float:
        """A percentile of the latencies of completed runs, from arrival to message."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


class Simulation:
    """Simulates arrivals until no run is open. With `group` above one, so many runs are simulated as one."""

    def __init__(self, quotas: Mapping[str, Quota], model: RunModel, group: int = 1, seed: int = 0) -> None:
        self._model, self._size = model, group
        self._random = random.Random(seed).random  # noqa: S311  # a simulation
        self._buckets = {
            name: TokenBucket(quota.limit, quota.bucket)
            for name, quota in quotas.items()
            if quota.bucket is not None and name != "lambda_scaling"
        }
        self._lambda = Lambda(quotas)
        self._max_open = quotas["open_executions"].limit
        self._open = self._peak_open = 0
        self._events: list[tuple[float, int, Callable[[Group], None], Group]] = []
        self._number, self._now = 0, 0.0
        self._transitions = self._invocations = self._http = 0
        self._function_seconds = self._writes = 0.0
        self._result = Result(0, group)
        self._short = model.function_seconds

    def run(self, arrivals: Sequence[float]) -> Result:
        """Simulate runs that arrive at these times, which must be in order. May be called once."""
        for time in arrivals[:: self._size]:
            self._at(time, self._request, Group(time))
        while self._events:
            self._now, _, step, group = heapq.heappop(self._events)
            step(group)
        return self._finish()

    def _at(self, time: float, step: Callable[[Group], None], group: Group) -> None:
        self._number += 1
        heapq.heappush(self._events, (time, self._number, step, group))

    def _after(self, seconds: float, step: Callable[[Group], None], group: Group) -> None:
        self._at(self._now + seconds, step, group)

    def _request(self, group: Group) -> None:
        self._http += self._size
        delay = max(self._reserve("api_account", 1), self._reserve("api_requests", 1))
        self._after(delay, self._start_run, group)

    def _start_run(self, group: Group) -> None:
        if not self._invoke("start_run"):
            self._retry_request(group)
            return
        delay = self._write()
        self._after(delay, self._start_execution, group)

    def _start_execution(self, group: Group) -> None:
        if self._open + self._size <= self._max_open and self._take("start_execution", 1):
            self._open += self._size
            self._peak_open = max(self._peak_open, self._open)
            group.attempts = 0
            self._after(self._short, self._started, group)
        elif group.attempts % SDK_ATTEMPTS < SDK_ATTEMPTS - 1:
            group.attempts += 1
            self._function_seconds += self._size
            self._after(self._random() * 2.0, self._start_execution, group)
        else:
            self._lambda.end("start_run", self._size)
            self._retry_request(group)

    def _started(self, group: Group) -> None:
        self._lambda.end("start_run", self._size)
        self._turn(group)

    def _retry_request(self, group: Group) -> None:
        group.attempts += 1
        self._after(self._backoff(group.attempts, MAX_RETRY_SECONDS), self._request, group)

    def _turn(self, group: Group) -> None:
        self._after(self._enter(2), self._request_turn, group)

    def _request_turn(self, group: Group) -> None:
        function = "submit_tool_outputs" if group.turn else "create_run"
        if not self._invoke_task(function, self._request_turn, group):
            return
        delay = self._write()
        if not self._ask_openai():
            self._after(self._short, lambda _: self._lambda.end(function, self._size), group)
            group.errors += 1
            if group.errors == MAX_ERRORS:
                self._fail("upstream_error")
                return
            self._after(self._backoff(group.errors, MAX_PAUSE_SECONDS) + self._enter(1), self._turn, group)
            return
        group.errors = 0
        self._result.turns += self._size
        seconds = self._model.turn_seconds * (1 - SPREAD + 2 * SPREAD * self._random())
        if self._model.pushed:
            self._after(self._short + delay, lambda _: self._lambda.end(function, self._size), group)
            self._after(seconds + self._short, self._webhook, group)
        else:
            group.remaining = seconds
            self._poll(group, function)

    def _ask_openai(self) -> bool:
        tokens = self._model.tokens
        if not self._take("openai_requests", 1):
            return False
        if not self._take("openai_tokens", tokens):
            self._buckets["openai_requests"].give_back(self._size)
            return False
        return True

    def _poll(self, group: Group, function: str) -> None:
        """Hold the function for a poll window. Then the next invocation polls."""
        held = min(group.remaining, POLL_WINDOW_SECONDS)
        group.remaining -= held
        self._function_seconds += held * self._size

        def end_window(each: Group) -> None:
            self._lambda.end(function, self._size)
            if each.remaining > 0:
                self._after(self._enter(2), poll_again, each)
            else:
                self._turn_ended(each)

        def poll_again(each: Group) -> None:
            if self._invoke_task("poll_run", poll_again, each):
                self._poll(each, "poll_run")

        self._after(held + self._short, end_window, group)

    def _webhook(self, group: Group) -> None:
        self._http += self._size
        if self._take("webhook_requests", 1) and self._invoke("receive_webhook"):
            self._after(self._short, lambda _: self._lambda.end("receive_webhook", self._size), group)
            if self._take("send_task_success", 1):
                self._after(self._short, self._turn_ended, group)
                return
        self._after(WEBHOOK_TIMEOUT_SECONDS + self._enter(2), self._look_after_timeout, group)

    def _look_after_timeout(self, group: Group) -> None:
        if self._invoke_task("wait_for_change", self._look_after_timeout, group):
            self._after(self._short, lambda each: self._end_then(each, "wait_for_change"), group)

    def _end_then(self, group: Group, function: str) -> None:
        self._lambda.end(function, self._size)
        self._turn_ended(group)

    def _turn_ended(self, group: Group) -> None:
        group.turn += 1
        if group.turn == TURNS:
            self._after(self._enter(1), self._save_message, group)
        else:
            self._after(self._enter(2), self._call_tool, group)

    def _call_tool(self, group: Group) -> None:
        if self._invoke_task("tool", self._call_tool, group):
            self._after(self._short, self._tool_called, group)

    def _tool_called(self, group: Group) -> None:
        self._lambda.end("tool", self._size)
        self._turn(group)

    def _save_message(self, group: Group) -> None:
        if self._invoke_task("save_message", self._save_message, group):
            delay = max(self._write(), self._reserve("put_events", 1))
            self._after(self._short + delay, self._saved, group)

    def _saved(self, group: Group) -> None:
        self._lambda.end("save_message", self._size)
        self._open -= self._size
        self._get_message(group)

    def _get_message(self, group: Group) -> None:
        self._http += self._size
        self._after(self._reserve("api_requests", 1), self._read_message, group)

    def _read_message(self, group: Group) -> None:
        if not self._invoke("get_message"):
            group.attempts += 1
            self._after(self._backoff(group.attempts, MAX_RETRY_SECONDS), self._get_message, group)
            return
        self._after(self._short, self._complete, group)

    def _complete(self, group: Group) -> None:
        self._lambda.end("get_message", self._size)
        result = self._result
        result.completed += self._size
        result.latencies.append(self._now - group.arrived)
        result.ended.append(self._now)

    def _fail(self, reason: str) -> None:
        self._open -= self._size
        self._enter(1)
        self._result.failed[reason] += self._size

    def _invoke(self, function: str) -> bool:
        if quota := self._lambda.start(function, self._size, self._now):
            self._note(quota)
            return False
        self._invocations += self._size
        self._function_seconds += self._short * self._size
        return True

    def _invoke_task(self, function: str, again: Callable[[Group], None], group: Group) -> bool:
        """Invoke a function from the workflow, which retries it with full jitter and then fails the run."""
        if self._invoke(function):
            group.attempts = 0
            return True
        group.attempts += 1
        if group.attempts > TASK_RETRIES:
            self._fail("Lambda.TooManyRequestsException")
        else:
            delay = self._backoff(group.attempts, MAX_RETRY_SECONDS)
            self._after(delay + self._enter(1), again, group)
        return False

    def _backoff(self, attempt: int, most: float) -> float:
        return self._random() * min(most, 2.0**attempt)

    def _enter(self, states: int) -> float:
        self._transitions += states * self._size
        return self._reserve("transitions", states)

    def _write(self) -> float:
        units = self._model.measured.write_units / WRITE_STEPS
        self._writes += units * self._size
        return max(
            self._reserve("dynamodb_table", units), self._reserve("dynamodb_partition", INDEX_WRITES_PER_STEP)
        )

    def _reserve(self, name: str, amount: float) -> float:
        delay = self._buckets[name].reserve(amount * self._size, self._now)
        if delay > 0:
            self._note(name)
        return delay

    def _take(self, name: str, amount: float) -> bool:
        if self._buckets[name].take(amount * self._size, self._now):
            return True
        self._note(name)
        return False

    def _note(self, quota: str) -> None:
        self._result.throttled[quota] += self._size
        if self._result.first is None:
            self._result.first = quota, self._now

    def _finish(self) -> Result:
        result, measured = self._result, self._model.measured
        result.runs = result.completed + result.failed.total()
        result.peaks = {name: bucket.peak.per_second for name, bucket in self._buckets.items()}
        result.peaks |= {
            "lambda_concurrency": self._lambda.peak,
            "lambda_scaling": self._lambda.scaling_peak,
            "open_executions": self._peak_open,
        }
        result.usage = Usage(
            transitions=self._transitions,
            invocations=self._invocations,
            function_seconds=self._function_seconds,
            gb_seconds=self._function_seconds * MEMORY_GB,
            write_units=round(self._writes),
            read_units=measured.read_units * result.runs,
            http_requests=self._http,
            events=measured.events * result.runs,
        )
        return result
