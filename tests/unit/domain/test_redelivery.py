from upcall.domain.redelivery import (
    FIRST_DELAY_SECONDS,
    MAX_AGE_SECONDS,
    MAX_DELAY_SECONDS,
    retry_delay_seconds,
)


def test_delays_grow_up_to_two_hours_and_are_enough_for_a_day() -> None:
    delays = [retry_delay_seconds(tries) for tries in range(1, 101)]

    assert FIRST_DELAY_SECONDS / 2 <= delays[0] <= FIRST_DELAY_SECONDS
    assert MAX_DELAY_SECONDS / 2 <= max(delays) <= MAX_DELAY_SECONDS == 2 * 60 * 60
    assert sum(delays) > MAX_AGE_SECONDS == 24 * 60 * 60, "the queue gives up after 100 deliveries"


def test_a_delay_of_any_number_of_tries_is_finite() -> None:
    assert retry_delay_seconds(10**6) <= MAX_DELAY_SECONDS


def test_a_pause_that_the_receiver_asks_for_is_kept_unless_the_queue_cannot() -> None:
    assert retry_delay_seconds(1, 600) == 600
    assert retry_delay_seconds(1, 0.5) <= FIRST_DELAY_SECONDS
    assert retry_delay_seconds(1, 10**9) == 10 * 60 * 60
