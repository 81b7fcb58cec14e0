"""What every WaitingRequests does. Test modules subclass it, with the fixture `waiting`: ten places, all free."""

from datetime import timedelta

from support.fakes.clock import START
from upcall.use_cases.interfaces import WaitingRequests

LATER = START + timedelta(seconds=30)


class WaitingRequestsContract:
    def test_a_caller_has_so_many_places(self, waiting: WaitingRequests) -> None:
        places = [waiting.take_place("ann", START, LATER) for _ in range(10)]

        assert {place.number for place in places if place} == set(range(10))
        assert [place.taken for place in places if place] == list(range(1, 11))
        assert waiting.take_place("ann", START, LATER) is None

    def test_another_caller_has_places_of_its_own(self, waiting: WaitingRequests) -> None:
        for _ in range(10):
            waiting.take_place("ann", START, LATER)

        assert waiting.take_place("bob", START, LATER)

    def test_a_place_that_is_given_back_is_free(self, waiting: WaitingRequests) -> None:
        places = [waiting.take_place("ann", START, LATER) for _ in range(10)]
        assert places[3]
        waiting.leave_place("ann", places[3])

        again = waiting.take_place("ann", START, LATER)
        assert again
        assert again.number == places[3].number

    def test_a_place_that_is_not_given_back_is_free_when_its_time_is_over(
        self, waiting: WaitingRequests
    ) -> None:
        for _ in range(10):
            waiting.take_place("ann", START, LATER)

        after = LATER + timedelta(seconds=1)
        assert waiting.take_place("ann", after, after + timedelta(seconds=30))

    def test_a_place_that_has_another_request_by_now_is_not_given_back(
        self, waiting: WaitingRequests
    ) -> None:
        late = [waiting.take_place("ann", START, LATER) for _ in range(10)]
        after = LATER + timedelta(seconds=1)
        for _ in range(10):
            assert waiting.take_place("ann", after, after + timedelta(seconds=30))
        for place in late:
            assert place
            waiting.leave_place("ann", place)

        assert waiting.take_place("ann", after, after + timedelta(seconds=30)) is None
