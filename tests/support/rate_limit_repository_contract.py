"""What every RateLimitRepository does.

Test modules subclass RateLimitRepositoryContract and provide the fixture `rate_limits`, which is empty at first.
"""

from concurrent.futures import ThreadPoolExecutor

import pytest

from upcall.domain.rate_limit import RateLimit
from upcall.use_cases.interfaces import RateLimitRepository

NOW = 1_800_000_000.25
UNKNOWN = RateLimit.unknown(NOW)


@pytest.fixture
def known(rate_limits: RateLimitRepository) -> RateLimit:
    """A rate limit that has begun."""
    known = rate_limits.begin("m", UNKNOWN, None)
    assert known is not None
    return known


class RateLimitRepositoryContract:
    def test_nothing_is_known_at_first(self, rate_limits: RateLimitRepository) -> None:
        assert rate_limits.get("m") is None

    def test_what_is_known_is_returned_as_it_was_written(self, rate_limits: RateLimitRepository) -> None:
        begin = UNKNOWN.model_copy(update={"ceiling": 0.1, "rate": 1 / 3, "tokens_per_request": 1234.5})

        assert rate_limits.begin("m", begin, None) == begin
        assert rate_limits.get("m") == begin
        assert rate_limits.get("m", consistent=True) == begin

    def test_each_model_has_its_own(self, rate_limits: RateLimitRepository, known: RateLimit) -> None:
        assert rate_limits.get("another") is None
        assert rate_limits.get("m") == known

    def test_only_one_begins(self, rate_limits: RateLimitRepository, known: RateLimit) -> None:
        assert rate_limits.begin("m", RateLimit.unknown(NOW + 1), None) == known

    def test_one_that_is_forgotten_is_replaced_once(
        self, rate_limits: RateLimitRepository, known: RateLimit
    ) -> None:
        rate_limits.take_ticket("m", known, 0)
        later = RateLimit.unknown(NOW + 1000)

        assert rate_limits.begin("m", later, known) == later
        assert rate_limits.begin("m", RateLimit.unknown(NOW + 1001), known) == later
        assert rate_limits.get("m") == later

    def test_tickets_are_counted(self, rate_limits: RateLimitRepository, known: RateLimit) -> None:
        taken = [rate_limits.take_ticket("m", known, 0) for _ in range(3)]

        assert [each and each.tickets for each in taken] == [1, 2, 3]

    @pytest.mark.parametrize("expected", [0, 100])
    def test_unused_tickets_are_skipped(
        self, rate_limits: RateLimitRepository, known: RateLimit, expected: int
    ) -> None:
        """Whatever number the caller has read: it may be old."""
        known = known.model_copy(update={"tickets": expected})
        taken = [rate_limits.take_ticket("m", known, lowest) for lowest in (50, 50, 40)]

        assert [each and each.tickets for each in taken] == [51, 52, 53]

    def test_no_two_take_the_same_ticket(self, rate_limits: RateLimitRepository, known: RateLimit) -> None:
        with ThreadPoolExecutor(8) as pool:
            taken = list(pool.map(lambda _: rate_limits.take_ticket("m", known, 10), range(24)))

        assert sorted(each.tickets for each in taken if each) == list(range(11, 35))

    def test_a_ticket_of_an_older_generation_is_not_taken(
        self, rate_limits: RateLimitRepository, known: RateLimit
    ) -> None:
        rate_limits.begin("m", RateLimit.unknown(NOW + 1000), known)

        assert rate_limits.take_ticket("m", known, 0) is None

    def test_there_is_no_ticket_of_an_unknown_model(self, rate_limits: RateLimitRepository) -> None:
        assert rate_limits.take_ticket("m", UNKNOWN, 0) is None

    def test_an_update_leaves_the_tickets_as_they_are(
        self, rate_limits: RateLimitRepository, known: RateLimit
    ) -> None:
        rate_limits.take_ticket("m", known, 0)
        changed = known.model_copy(update={"version": 2, "rate": 7.5})

        assert rate_limits.update("m", changed, 1)
        assert rate_limits.get("m") == changed.model_copy(update={"tickets": 1})

    def test_an_update_of_an_older_version_is_not_written(
        self, rate_limits: RateLimitRepository, known: RateLimit
    ) -> None:
        changed = known.model_copy(update={"version": 2, "rate": 7.5})
        rate_limits.update("m", changed, 1)

        assert not rate_limits.update("m", known.model_copy(update={"version": 2, "rate": 9.0}), 1)
        assert rate_limits.get("m") == changed
