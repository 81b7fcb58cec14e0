"""Rate limits without DynamoDB."""

from upcall.domain.errors import TransientError
from upcall.domain.rate_limit import RateLimit, ServerLimits


class InMemoryRateLimitRepository:
    """Implements RateLimitRepository. Passes the same contract suite as DynamoDBRateLimitRepository.

    `reads` and `writes` count requests, failed conditions among them. While it is not `available`, every method raises
    TransientError.
    """

    def __init__(self) -> None:
        self.limits: dict[str, RateLimit] = {}
        self.reads = 0
        self.writes = 0
        self.available = True

    def get(self, model: str, *, consistent: bool = False) -> RateLimit | None:  # noqa: ARG002  # always is
        """See RateLimitRepository."""
        self.reads += 1
        self._require_available()
        return self.limits.get(model)

    def begin(self, model: str, begin: RateLimit, replaced: RateLimit | None) -> RateLimit | None:
        """See RateLimitRepository."""
        self._write()
        known = self.limits.get(model)
        if (known and known.generation) == (replaced and replaced.generation):
            self.limits[model] = begin
        return self.limits[model]

    def take_ticket(self, model: str, known: RateLimit, unused_before: int) -> RateLimit | None:
        """See RateLimitRepository."""
        self._write()
        current = self.limits.get(model)
        if current is None or current.generation != known.generation:
            return None
        tickets = max(current.tickets, unused_before) + 1
        self.limits[model] = current.model_copy(update={"tickets": tickets})
        return self.limits[model]

    def update(self, model: str, changed: RateLimit, version: int) -> bool:
        """See RateLimitRepository."""
        self._write()
        current = self.limits.get(model)
        if current is None or (current.generation, current.version) != (changed.generation, version):
            return False
        self.limits[model] = changed.model_copy(update={"tickets": current.tickets})
        return True

    def _write(self) -> None:
        self.writes += 1
        self._require_available()

    def _require_available(self) -> None:
        if not self.available:
            raise TransientError("the table of rate limits: ClientError")


def hold_back(repository: InMemoryRateLimitRepository, model: str, now: float, seconds: float) -> None:
    """Let all turns of a model wait for so many seconds, as after a refusal."""
    limit = RateLimit.unknown(now).after(
        ServerLimits(refused=True, retry_after=seconds), None, requested_at=now, now=now
    )
    assert limit is not None
    repository.limits[model] = limit
