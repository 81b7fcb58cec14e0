from collections.abc import Callable

import pytest
from support.fakes.clock import FakeClock
from support.fakes.run_api import FakeRunApi
from support.fakes.run_repository import InMemoryRunRepository
from support.run_records import UPSTREAM_RUN, new_run

from upcall.domain.errors import RequestRejected, TransientError
from upcall.domain.message_text import MAX_PIECE_CHARACTERS, MAX_PIECES, PIECE_SECONDS, StoredPiece, TextDelta
from upcall.domain.upstream_run import UpstreamRun
from upcall.use_cases.record_text import record_text

NEXT_TURN = UpstreamRun(run_api="responses", ids={"response_id": "resp_2"})


class Turns:
    """Records the text of turns of a run on a fake server, with a fake clock."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.run_api = FakeRunApi()
        self.repository = InMemoryRunRepository()
        self.run_id = self.repository.add_run(new_run(stream=True)).run_id

    def record(
        self,
        *deltas: TextDelta | Callable[[], object],
        turn: UpstreamRun = UPSTREAM_RUN,
        round_number: int = 0,
    ) -> None:
        """Record what the server sends in one window of 60 s."""
        self.run_api.deltas = list(deltas)
        record_text(
            self.run_id,
            turn,
            round_number,
            60,
            repository=self.repository,
            run_api=self.run_api,
            clock=self.clock,
        )

    def seconds(self, seconds: float) -> Callable[[], object]:
        """So much time passes between two deltas."""
        return lambda: self.clock.advance(seconds)

    @property
    def pieces(self) -> list[StoredPiece]:
        """All pieces of the run."""
        return self.repository.list_pieces(self.run_id, 0, MAX_PIECES)

    @property
    def texts(self) -> list[tuple[int, str]]:
        """The offset and the text of each piece."""
        return [(piece.offset, piece.text) for piece in self.pieces]


@pytest.fixture
def turns() -> Turns:
    return Turns()


def test_the_first_words_are_recorded_at_once_and_the_others_in_pieces_of_a_second(turns: Turns) -> None:
    second = turns.seconds(PIECE_SECONDS / 2)
    turns.record(
        *(
            TextDelta(1, "One "),
            second,
            TextDelta(2, "two "),
            second,
            TextDelta(3, "three "),
            TextDelta(4, "four."),
        )
    )

    assert turns.texts == [(0, "One "), (4, "two three "), (14, "four.")]
    assert [piece.number for piece in turns.pieces] == [1, 2, 3]


def test_events_without_text_are_no_pieces_but_the_occasion_to_record_what_waits(turns: Turns) -> None:
    turns.record(TextDelta(1, ""), TextDelta(2, "A"), TextDelta(3, "B"), turns.seconds(2), TextDelta(9, ""))

    assert [(piece.text, piece.position) for piece in turns.pieces] == [("A", 2), ("B", 9)]


def test_the_next_window_goes_on_where_the_last_one_ended(turns: Turns) -> None:
    deltas = [TextDelta(1, "One "), TextDelta(2, "two "), TextDelta(3, "three")]
    turns.record(*deltas[:2])
    turns.record(*deltas)

    assert "".join(text for _, text in turns.texts) == "One two three"
    assert [after for _, after, _ in turns.run_api.streamed] == [None, 2]
    assert [piece.offset for piece in turns.pieces] == [0, 4, 8]


def test_the_text_of_another_turn_begins_anew(turns: Turns) -> None:
    turns.record(TextDelta(7, "Let me look."))
    turns.record(TextDelta(1, "Here it is."), turn=NEXT_TURN, round_number=1)

    assert turns.texts == [(0, "Let me look."), (0, "Here it is.")]
    assert [(piece.number, piece.round) for piece in turns.pieces] == [(1, 0), (2, 1)]
    assert turns.run_api.streamed[1][:2] == (NEXT_TURN, None)


@pytest.mark.parametrize(
    "error", [TransientError("reset"), RequestRejected("more than 5 minutes old", code="x")]
)
def test_an_error_ends_the_stream_and_loses_nothing(turns: Turns, error: Exception) -> None:
    def fail() -> None:
        raise error

    turns.record(TextDelta(1, "A"), TextDelta(2, "B"), fail, TextDelta(3, "C"))

    assert turns.texts == [(0, "A"), (1, "B")]


def test_two_invocations_that_record_the_same_turn_write_each_piece_once(turns: Turns) -> None:
    """A function that was given up by the workflow may still run."""
    meanwhile = lambda: turns.record(TextDelta(1, "A"), turns.seconds(2), TextDelta(2, "B"))  # noqa: E731
    later = turns.seconds(2)
    turns.record(TextDelta(1, "A"), later, meanwhile, TextDelta(2, "B"), later, TextDelta(3, "C"))

    assert [piece.number for piece in turns.pieces] == [1, 2]
    assert "".join(text for _, text in turns.texts) == "AB"


def test_a_text_that_comes_all_at_once_is_cut_into_pieces_that_an_item_holds(turns: Turns) -> None:
    text = "x" * MAX_PIECE_CHARACTERS + "y"
    turns.record(TextDelta(1, text))

    assert turns.texts == [(0, text[:-1]), (MAX_PIECE_CHARACTERS, "y")]


def test_a_run_has_so_many_pieces_at_most(turns: Turns, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("upcall.use_cases.record_text.MAX_PIECES", 2)
    second = turns.seconds(PIECE_SECONDS)

    turns.record(TextDelta(1, "x"), second, TextDelta(2, "x"), second, TextDelta(3, "x"))

    assert turns.texts == [(0, "x"), (1, "x")]
