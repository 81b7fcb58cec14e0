from datetime import timedelta

from support.fakes.clock import START, FakeClock


def test_time_passes_only_by_sleeping_and_advancing() -> None:
    clock = FakeClock()
    assert (clock.now(), clock.monotonic()) == (START, 0)

    clock.sleep(1.5)
    clock.advance(2)

    assert (clock.now(), clock.monotonic()) == (START + timedelta(seconds=3.5), 3.5)
    assert clock.sleeps == [1.5]


def test_scheduled_actions_happen_at_their_times_and_in_their_order() -> None:
    clock = FakeClock()
    times: list[float] = []
    for seconds in (3, 1, 2):
        clock.schedule(seconds, lambda: times.append(clock.monotonic()))

    clock.sleep(2)
    assert (times, clock.monotonic()) == ([1, 2], 2)
    clock.sleep(2)
    assert (times, clock.monotonic()) == ([1, 2, 3], 4)


def test_an_action_may_schedule_another() -> None:
    clock = FakeClock()
    times: list[float] = []
    clock.schedule(1, lambda: clock.schedule(1, lambda: times.append(clock.monotonic())))

    clock.sleep(5)

    assert (times, clock.monotonic()) == ([2], 5)
