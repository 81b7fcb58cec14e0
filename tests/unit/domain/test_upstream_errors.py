"""How errors of the server are counted, how long the pauses between them are, and when they end a run."""

import pytest

from upcall.domain.errors import TransientError
from upcall.domain.failure import MAX_FAILURE_CHARACTERS, Failure
from upcall.domain.upstream_errors import MAX_ERRORS, MAX_PAUSE_SECONDS, NO_ERRORS, UpstreamErrors

ERROR = TransientError("503: Service Unavailable", detail="503: The model is overloaded.")
SLOW_DOWN = TransientError("429: rate_limit_exceeded", retry_after=7, detail="429: Slow down.")


def after(count: int, error: TransientError = ERROR) -> UpstreamErrors:
    errors = NO_ERRORS
    for _ in range(count):
        errors = errors.add(error)
    return errors


def test_errors_in_a_row_are_counted_and_the_newest_is_kept_in_the_servers_words() -> None:
    assert UpstreamErrors(count=0, last="") == NO_ERRORS
    errors = NO_ERRORS.add(TransientError("no connection")).add(ERROR)

    assert errors == UpstreamErrors(count=2, last="503: The model is overloaded.")


def test_an_error_without_words_of_the_server_is_kept_with_its_own_message() -> None:
    assert NO_ERRORS.add(TransientError("no answer (ReadTimeout)")).last == "no answer (ReadTimeout)"


@pytest.mark.parametrize("retry_after", [0, 7, 3600])
def test_an_error_of_a_server_that_says_when_to_come_back_is_kept_and_not_counted(retry_after: float) -> None:
    error = TransientError("429", retry_after=retry_after, detail="429: Slow down.")

    assert after(3).add(error) == UpstreamErrors(count=3, last="429: Slow down.")
    assert after(100, error).failure is None


@pytest.mark.parametrize("count", range(MAX_ERRORS))
def test_fewer_errors_than_the_maximum_are_no_failure(count: int) -> None:
    assert after(count).failure is None


@pytest.mark.parametrize("count", [MAX_ERRORS, MAX_ERRORS + 1])
def test_too_many_errors_are_a_failure_that_quotes_the_last_one(count: int) -> None:
    assert after(count).failure == Failure(
        code="upstream_error",
        message=f"{count} requests to the server failed in a row. "
        "The last error: 503: The model is overloaded.",
    )


def test_the_failures_message_is_shortened_like_any_other() -> None:
    failure = after(MAX_ERRORS, TransientError("503", detail="x" * 2 * MAX_FAILURE_CHARACTERS)).failure

    assert failure is not None
    assert len(failure.message) < MAX_FAILURE_CHARACTERS + 50


def test_pauses_double_up_to_the_longest_and_are_at_least_half_as_long() -> None:
    for _ in range(100):
        pauses = [after(count).pause_seconds(ERROR) for count in range(1, MAX_ERRORS)]

        assert all(
            longest / 2 <= pause <= longest
            for pause, longest in zip(pauses, [1, 2, 4, 8, 16, MAX_PAUSE_SECONDS], strict=True)
        ), pauses
        assert 30 <= sum(pauses) <= 61, "OpenAI has answered 404 for what it had just created for 33 s"


def test_two_runs_pause_for_different_times() -> None:
    """Otherwise the runs that an outage has stopped come back all at once."""
    assert len({after(3).pause_seconds(ERROR) for _ in range(10)}) == 10


def test_the_pause_that_the_server_asks_for_is_made() -> None:
    assert after(3).add(SLOW_DOWN).pause_seconds(SLOW_DOWN) == 7
    assert NO_ERRORS.add(SLOW_DOWN).pause_seconds(SLOW_DOWN) == 7


SERVER_ERROR = Failure(code="server_error", message="Sorry.")


def test_turns_that_failed_are_counted_whether_requests_succeed_in_between_or_not() -> None:
    errors = after(3).add_failed_turn(SERVER_ERROR)
    assert errors == UpstreamErrors(last="Sorry.", failed_turns=1)

    assert errors.add(ERROR) == UpstreamErrors(count=1, last=ERROR.detail, failed_turns=1)
    assert errors.add(ERROR).after_success() == UpstreamErrors(last=ERROR.detail, failed_turns=1)
    assert errors.after_success().add_failed_turn(SERVER_ERROR).failed_turns == 2


def test_a_request_that_succeeds_ends_a_row_of_errors() -> None:
    assert after(3).after_success() == NO_ERRORS


def test_pauses_before_turns_double_like_those_before_requests() -> None:
    errors = NO_ERRORS
    for longest in (1, 2, 4, 8, 16, MAX_PAUSE_SECONDS):
        errors = errors.add_failed_turn(SERVER_ERROR)
        assert longest / 2 <= errors.turn_pause_seconds <= longest
