import threading

import pytest

from upcall.timeout import TimedOut, run_with_timeout


@pytest.mark.parametrize("seconds", [None, 5])
def test_the_result_of_the_work_is_returned(seconds: float | None) -> None:
    assert run_with_timeout(seconds, lambda: "done") == "done"


@pytest.mark.parametrize("seconds", [None, 5])
@pytest.mark.parametrize("error", [LookupError("not here"), SystemExit(1)])
def test_what_the_work_raises_is_raised(seconds: float | None, error: BaseException) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        run_with_timeout(seconds, fail)

    assert caught.value is error


def test_work_that_takes_too_long_is_given_up() -> None:
    released = threading.Event()

    with pytest.raises(TimedOut):
        run_with_timeout(0.01, lambda: released.wait(60))

    released.set()
