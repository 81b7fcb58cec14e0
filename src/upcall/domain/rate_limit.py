"""Rate limits of the server, and when a turn may be requested so that they hold.

A turn takes a ticket: the next number of a counter that all runs of a server, key and model share. The
tickets up to `served` may go, and that number grows with `rate`: the generic cell rate algorithm, counted in
tickets, so that a change of the rate holds for those who wait already. What the server says in its headers
sets the rate and the number of tickets that may go at once. Without headers the rate is found as TCP finds
it: it grows fast until the server refuses a request, then it falls by a factor and grows step by step
(additive increase, multiplicative decrease).
"""

from typing import Any, Literal

from upcall.domain.model import Model

FORGOTTEN_AFTER_SECONDS = 600.0
"""Without use. A limit that was raised meanwhile is learned again."""

MAX_CLOCK_SKEW_SECONDS = 5.0
"""A state from further in the future is not believed."""

HELD_SECONDS = 0.5
"""After a refusal that does not say for how long."""

MAX_HELD_SECONDS = 600.0
"""How long one refusal holds others back, whatever the server asks for."""

INITIAL_BURST = 10
"""Turns that may go at once while nothing is known of the server."""

GROWTH = 4
"""Times as many turns may go as have gone, each time that the server has answered without a refusal."""

SLOW_START_RATE = 5.0
SLOW_START_EXTRA = 30
"""Turns that may go besides while the server is silent: some servers answer only when a turn is done."""

FREE_AFTER = 200
"""Turns without a refusal, after which a server that sends no headers has no limit until it refuses one."""

AMPLE_REQUESTS = 1000
"""If the server has room for so many, nobody takes a ticket: Lambda runs as many functions at once."""

RESERVE = 0.25
"""The share of a limit that is left for requests under way, and for others who use the same key."""

DECREASE = 0.75
RECOVERY_SECONDS = 60.0
"""After a refusal, until the rate is again what the headers say."""

INCREASE_SECONDS = 240.0
"""Without headers, until the rate has grown by as much as it was when a request was refused."""

WRONG_ESTIMATE = 1.2
FAST_INCREASE_SECONDS = 30.0
"""Once the rate is so many times the refused one, the limit was another: then it grows by its own share."""

MIN_RATE = 1 / 600

MIN_COUNTED_REQUESTS = 5
"""Over fewer, an average of tokens says little."""

WRITE_SECONDS = 1.0
SLOW_START_WRITE_SECONDS = 0.1
INCREASE_WRITE_SECONDS = 5.0
REFRESH_SECONDS = FORGOTTEN_AFTER_SECONDS / 2
"""How far apart the writes of what was learned are, at least; a refusal is written at once."""

MINUTE_SECONDS = 60.0


class LimitHeaders(Model):
    """One limit as the server's headers tell it: of requests or of tokens."""

    limit: int
    remaining: int
    reset_seconds: float | None = None

    @property
    def refill(self) -> float:
        """How many the server adds per second. A limit is per minute, unless it takes longer to refill."""
        used = self.limit - self.remaining
        if self.reset_seconds and self.reset_seconds > 1.1 * MINUTE_SECONDS and used > 0:
            return used / self.reset_seconds
        return self.limit / MINUTE_SECONDS

    @property
    def spare(self) -> float:
        """What remains besides the reserve. Negative if the reserve is in use."""
        return self.remaining - RESERVE * self.limit

    def is_ample(self, per_request: float) -> bool:
        """Whether there is room for AMPLE_REQUESTS, and half of the limit."""
        return self.remaining >= max(AMPLE_REQUESTS * per_request, self.limit / 2)


class ServerLimits(Model):
    """What a response says of the server's limits. `refused` says that it is a 429."""

    requests: LimitHeaders | None = None
    tokens: LimitHeaders | None = None
    refused: bool = False
    retry_after: float | None = None


class Ticket(Model):
    """A place in the queue of one generation of a rate limit."""

    number: int
    generation: int


class RateLimit(Model):
    """What is known of the limits of a model, and how many tickets were taken. Times are seconds since 1970.

    A limit that was forgotten begins anew as another generation. `ceiling` is the rate that the headers say,
    `burst` the number of tickets that may go at once after a time without any. When the model is `free`,
    nobody takes a ticket. `tokens_remaining` is of the newest headers, `tokens_sent` the number of
    tickets served by then, if others waited.
    """

    generation: int
    version: int = 1
    tickets: int = 0
    written_at: float
    phase: Literal["slow_start", "limited", "free"] = "slow_start"
    base_ticket: float = INITIAL_BURST
    base_time: float
    rate: float = SLOW_START_RATE
    ceiling: float | None = None
    burst: float = INITIAL_BURST
    held_until: float = 0
    refused_at: float = 0
    refused_rate: float = 0
    tokens_per_request: float | None = None
    tokens_remaining: int = 0
    tokens_sent: float | None = None

    @classmethod
    def unknown(cls, now: float) -> "RateLimit":
        """Nothing is known yet."""
        return cls(generation=int(now * 1000), written_at=now, base_time=now)

    def is_forgotten(self, now: float) -> bool:
        """Whether it is too old to be believed, or written by a clock that was wrong."""
        return not -MAX_CLOCK_SKEW_SECONDS <= now - self.written_at <= FORGOTTEN_AFTER_SECONDS

    def served(self, now: float) -> float:
        """The number up to which tickets may go."""
        grown = self.rate * max(now - self.base_time, 0)
        return self.base_ticket + (min(grown, SLOW_START_EXTRA) if self.phase == "slow_start" else grown)

    def unused_before(self, now: float) -> int:
        """The number below which tickets are skipped, so that no more than a burst goes at once."""
        return 0 if self.phase == "slow_start" else int(self.served(now) - self.burst)

    def due(self, ticket: Ticket) -> float:
        """When a ticket may go."""
        ahead = max(ticket.number - self.base_ticket, 0)
        return max(self.held_until, self.base_time + ahead / self.rate) if ahead else self.held_until

    def sent(self, now: float) -> float:
        """The number of tickets that have gone."""
        return self.tickets if self.phase == "free" else min(self.served(now), self.tickets)

    def after(
        self, seen: ServerLimits, ticket: Ticket | None, requested_at: float, now: float
    ) -> "RateLimit | None":
        """What is known after a response to a request of that time; None if it is not worth a write."""
        if seen.refused:
            changed = None if requested_at < self.refused_at else self._after_refusal(seen, now)
        elif now - self.written_at < (
            SLOW_START_WRITE_SECONDS if self.phase == "slow_start" else WRITE_SECONDS
        ):
            changed = None
        elif seen.requests or seen.tokens:
            changed = self._after_headers(seen, ticket, now)
        else:
            changed = self._after_success(now)
        return changed and changed.model_copy(update={"version": self.version + 1, "written_at": now})

    def _after_refusal(self, seen: ServerLimits, now: float) -> "RateLimit":
        """Hold all back for as long as the server asks for, and go on more slowly."""
        pause = min(HELD_SECONDS if seen.retry_after is None else seen.retry_after, MAX_HELD_SECONDS)
        held_until = max(now + pause, self.held_until)
        sent = self.sent(now)
        held = {"held_until": held_until, "refused_at": now, "base_time": held_until}
        tokens = self._count_tokens(seen, None, now)
        ceiling = _ceiling(seen, tokens["tokens_per_request"]) or self.ceiling
        if ceiling is None and self.phase == "free":
            begin = sent + INITIAL_BURST
            return self.model_copy(update={**held, "phase": "slow_start", "base_ticket": begin})
        # a limit that nothing else is known of is one per minute
        rate = max(sent, INITIAL_BURST) / MINUTE_SECONDS if self.phase == "slow_start" else self.rate
        if ceiling is not None:
            rate = min(rate, ceiling) if self.phase == "limited" else ceiling
        slower = max(rate * DECREASE, MIN_RATE)
        burst = self.burst if self.ceiling else slower * INCREASE_WRITE_SECONDS
        changed = {"base_ticket": sent + 1, "rate": slower, "refused_rate": rate, "burst": max(burst, 1)}
        return self.model_copy(update={**held, **tokens, **changed, "phase": "limited", "ceiling": ceiling})

    def _after_headers(self, seen: ServerLimits, ticket: Ticket | None, now: float) -> "RateLimit | None":
        """Serve as many as the server has room for, and then at the rate at which it makes room."""
        sent = self.sent(now)
        tokens = self._count_tokens(seen, ticket, now)
        ceiling = _ceiling(seen, per_request := tokens["tokens_per_request"])
        if ceiling is None:
            return None
        quotas = [(seen.requests, 1.0)] if seen.requests else []
        if seen.tokens:
            quotas.append((seen.tokens, per_request))
        spare = min(quota.spare / each for quota, each in quotas)
        if seen.tokens and self.phase == "slow_start":
            spare = min(spare, INITIAL_BURST)  # the first estimate of tokens is a rough one
        rate = ceiling
        if self.phase == "limited":
            rate = min(self.rate + ceiling * (now - self.written_at) / RECOVERY_SECONDS, rate)
        under_way = 0.0  # those with higher tickets, which the server had not counted yet
        if ticket and self.phase != "free":
            under_way = max(sent - ticket.number, 0)
            under_way = under_way if self.phase == "slow_start" else min(under_way, self.burst)
        free = all(quota.is_ample(each) for quota, each in quotas)
        changed = self.model_copy(
            update={
                **tokens,
                "phase": "free" if free else "limited",
                "base_ticket": sent + spare - under_way,
                "base_time": now,
                "rate": max(rate, MIN_RATE),
                "ceiling": ceiling,
                "burst": max(min((1 - RESERVE) * quota.limit / each for quota, each in quotas), 1),
            }
        )
        return changed if self._differs(changed, now) else None

    def _differs(self, changed: "RateLimit", now: float) -> bool:
        if changed.phase != self.phase or now - self.written_at >= REFRESH_SECONDS:
            return True
        if changed.phase == "free":
            return False
        return (
            abs(changed.rate - self.rate) > 0.05 * self.rate
            or abs(changed.burst - self.burst) > 0.2 * self.burst
            or abs(changed.base_ticket - self.served(now)) > max(0.05 * changed.burst, 2)
        )

    def _after_success(self, now: float) -> "RateLimit | None":
        """Without headers: grow."""
        sent = self.sent(now)
        waited = now - self.written_at
        if self.phase == "slow_start":
            if sent >= FREE_AFTER:
                return self.model_copy(update={"phase": "free"})
            base = max(GROWTH * sent, sent + INITIAL_BURST)
            if base > self.base_ticket or waited >= REFRESH_SECONDS:
                return self.model_copy(update={"base_ticket": base, "base_time": now})
            return None
        if self.phase == "free" or self.ceiling is not None:
            return self if waited >= REFRESH_SECONDS else None
        if waited < INCREASE_WRITE_SECONDS or now < self.held_until:
            return None
        wrong = self.rate > WRONG_ESTIMATE * self.refused_rate
        step = self.rate / FAST_INCREASE_SECONDS if wrong else self.refused_rate / INCREASE_SECONDS
        rate = self.rate + step * waited
        begin = {"base_ticket": self.served(now), "base_time": now}
        return self.model_copy(update={**begin, "rate": rate, "burst": max(rate * INCREASE_WRITE_SECONDS, 1)})

    def _count_tokens(self, seen: ServerLimits, ticket: Ticket | None, now: float) -> dict[str, Any]:
        """An estimate of the tokens of a request, from what is gone since the newest headers.

        While nobody waits, tickets are skipped, and their number does not say how many requests there were.
        """
        tokens, known = seen.tokens, self.tokens_per_request
        if tokens is None:
            return {"tokens_per_request": known, "tokens_remaining": 0, "tokens_sent": None}
        waiting = self.phase != "free" and self.tickets > self.served(now)
        sent = float(ticket.number) if ticket and waiting else None
        if known is None:
            answered = seen.requests.limit - seen.requests.remaining if seen.requests else 1
            known = max(
                (tokens.limit - tokens.remaining) / max(answered, ticket.number if ticket else 1, 1), 1
            )
        elif sent and self.tokens_sent and sent - self.tokens_sent >= MIN_COUNTED_REQUESTS:
            used = self.tokens_remaining - tokens.remaining + tokens.refill * (now - self.written_at)
            known = max(0.7 * known + 0.3 * used / (sent - self.tokens_sent), 1)
        return {"tokens_per_request": known, "tokens_remaining": tokens.remaining, "tokens_sent": sent}


def _ceiling(seen: ServerLimits, tokens_per_request: float | None) -> float | None:
    """The rate in requests per second that the headers allow; None if they say nothing."""
    rates = [seen.requests.refill] if seen.requests else []
    if seen.tokens and tokens_per_request:
        rates.append(seen.tokens.refill / tokens_per_request)
    return max(min(rates), MIN_RATE) if rates else None
