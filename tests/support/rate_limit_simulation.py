"""Many runs at once against a server with a rate limit, as a discrete-event simulation.

The rules, the use case that waits and the fake repository are those that the code and the other tests use; a
function's sleep and a Wait state are events.
"""

import heapq
import itertools
import random
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from support.fakes.clock import START
from support.fakes.rate_limit_repository import InMemoryRateLimitRepository
from upcall.domain.rate_limit import LimitHeaders, ServerLimits
from upcall.use_cases.turn_pacing import TurnPacing

MODEL = "the-model"


@dataclass
class SimulatedServer:
    """A server that refills its limits continuously, as OpenAI does, or all at once at the end of each window."""

    requests_per_minute: float | None = 60
    tokens_per_minute: float | None = None
    tokens_per_request: int = 1000
    sends_headers: bool = True
    fixed_windows: bool = False
    used_by_others: float = 0
    """Requests per second of others with the same key."""
    sent: int = 0
    refused: int = 0
    _levels: dict[str, float] = field(default_factory=dict)
    _seen_at: float = 0

    def respond(self, now: float) -> ServerLimits:
        """What the response to a request at that time says."""
        limits = {
            "requests": (self.requests_per_minute, 1.0),
            "tokens": (self.tokens_per_minute, float(self.tokens_per_request)),
        }
        known = {name: (limit, cost) for name, (limit, cost) in limits.items() if limit}
        self._refill(now, known)
        self.sent += 1
        refused = any(self._levels[name] < cost for name, (_, cost) in known.items())
        self.refused += refused
        if not refused:
            for name, (_, cost) in known.items():
                self._levels[name] -= cost
        missing = max(
            [(cost - self._levels[name]) / (limit / 60) for name, (limit, cost) in known.items()], default=0
        )
        retry_after = 60 - now % 60 if self.fixed_windows else max(missing, 0)
        return ServerLimits(
            refused=refused,
            retry_after=max(round(retry_after, 3), 1) if refused else None,
            **{
                name: self._quota(name, limit, now)
                for name, (limit, _) in known.items()
                if self.sends_headers
            },
        )

    def _refill(self, now: float, known: dict[str, tuple[float, float]]) -> None:
        for name, (limit, _) in known.items():
            level = self._levels.get(name, limit)
            passed = now - self._seen_at
            if self.fixed_windows:
                level = limit if now // 60 > self._seen_at // 60 else level
            else:
                level = min(level + passed * limit / 60, limit)
            if name == "requests":
                level = max(level - passed * self.used_by_others, 0)
            self._levels[name] = level
        self._seen_at = now

    def _quota(self, name: str, limit: float, now: float) -> LimitHeaders:
        level = self._levels[name]
        reset = 60 - now % 60 if self.fixed_windows else (limit - level) / (limit / 60)
        return LimitHeaders(limit=int(limit), remaining=int(level), reset_seconds=round(reset, 3))


class SimulatedClock:
    """Implements Clock. A sleep is an event of the simulation: whoever sleeps asks for it by `Sleep`."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> datetime:
        """The time of day."""
        return START + timedelta(seconds=self.time)

    def monotonic(self) -> float:
        """Seconds since the start."""
        return self.time

    def sleep(self, seconds: float, /) -> None:
        """A function that sleeps is not simulated as a thread: it starts again after that time."""
        raise Sleep(seconds)


class Sleep(Exception):  # not an error
    """A function sleeps for so many seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


@dataclass(frozen=True)
class SimulationResult:
    """How many runs completed, what they sent and how long it took. `waits` are those of the workflow, of all runs."""

    completed: int
    sent: int
    refused: int
    seconds: float
    waits: int
    reads: int
    writes: int

    @property
    def refused_share(self) -> float:
        """Of all requests that were sent."""
        return self.refused / self.sent


def simulate(
    server: SimulatedServer,
    *,
    runs: int,
    turns: int = 2,
    paced: bool = True,
    spread_seconds: float = 1.0,
    answer_seconds: float = 0.5,
    model_seconds: float = 2.0,
    limit_seconds: float = 900,
    on_request: Callable[[int], bool] = lambda _: True,
    repository: InMemoryRateLimitRepository | None = None,
    seed: int = 0,
) -> SimulationResult:
    """Start runs within `spread_seconds`, each of which requests so many turns one after the other.

    Without pacing a refused request waits as long as the server asks for. `on_request` says whether the request of that
    number is made at all, or its function is killed before.
    """
    clock, order = SimulatedClock(), itertools.count()
    events: list[tuple[float, int, Generator[float, None, bool]]] = []
    chance = random.Random(seed)
    random.seed(seed)  # of the spread of pauses
    limits = repository or InMemoryRateLimitRepository()
    numbers = itertools.count(1)
    waits = completed = 0

    def run(started: float) -> Generator[float, None, bool]:
        nonlocal waits
        for _ in range(turns):
            ticket = None
            while True:
                pacing = TurnPacing(limits, MODEL, clock, ticket) if paced else None
                while pacing:
                    try:
                        pause = pacing.wait_for_turn()
                        break
                    except Sleep as nap:
                        yield nap.seconds
                if pacing and pause:
                    if clock.time - started >= limit_seconds:
                        return False
                    waits += 1
                    ticket = pacing.ticket
                    yield min(pause, limit_seconds - (clock.time - started))
                    continue
                if not on_request(next(numbers)):
                    ticket = None
                    yield 2
                    continue
                requested_at = pacing.now if pacing else 0
                yield answer_seconds * chance.uniform(0.1, 0.5)
                seen = server.respond(clock.time)
                yield answer_seconds * chance.uniform(0.5, 1.5)
                if pacing:
                    pacing.observe(seen, requested_at)
                if not seen.refused:
                    break
                if clock.time - started >= limit_seconds:
                    return False
                waits += 1
                pause = seen.retry_after or 0
                if pacing:
                    pause = max(pause, pacing.queue_again())
                    ticket = pacing.ticket
                yield max(min(pause, limit_seconds - (clock.time - started)), 1)
            yield model_seconds
        return True

    for _ in range(runs):
        start = chance.uniform(0, spread_seconds)
        heapq.heappush(events, (start, next(order), run(start)))
    while events:
        clock.time, _, process = heapq.heappop(events)
        try:
            heapq.heappush(events, (clock.time + next(process), next(order), process))
        except StopIteration as end:
            completed += end.value
    return SimulationResult(
        completed, server.sent, server.refused, clock.time, waits, limits.reads, limits.writes
    )
