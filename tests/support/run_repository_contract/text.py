"""The text of a run while the model writes it: pieces, each once, in order."""

from support.run_records import UPSTREAM_RUN, new_run
from upcall.domain.message_text import StoredPiece
from upcall.use_cases.interfaces import RunRepository


def piece(number: int, text: str = "a") -> StoredPiece:
    """A piece of text."""
    return StoredPiece(
        number=number, round=0, offset=number - 1, text=text, upstream_run=UPSTREAM_RUN, position=7 * number
    )


class TextContract:
    def test_a_run_without_text_has_no_pieces(self, repository: RunRepository) -> None:
        run = repository.add_run(new_run(stream=True))

        assert repository.get_last_piece(run.run_id) is None
        assert repository.list_pieces(run.run_id, 0, 9) == []

    def test_pieces_are_listed_in_order_from_a_number_on(self, repository: RunRepository) -> None:
        run, other = (repository.add_run(new_run(stream=True)) for _ in range(2))
        for number in (1, 2, 10, 11):
            assert repository.add_piece(run.run_id, piece(number))
        repository.add_piece(other.run_id, piece(99))

        assert repository.list_pieces(run.run_id, 0, 9) == [piece(number) for number in (1, 2, 10, 11)]
        assert [each.number for each in repository.list_pieces(run.run_id, 2, 1)] == [10]
        assert repository.list_pieces(run.run_id, 11, 9) == []
        assert repository.get_last_piece(run.run_id) == piece(11)

    def test_a_piece_is_recorded_once(self, repository: RunRepository) -> None:
        run = repository.add_run(new_run(stream=True))

        assert repository.add_piece(run.run_id, piece(1, "\N{GRINNING FACE} first"))
        assert not repository.add_piece(run.run_id, piece(1, "second"))
        assert repository.list_pieces(run.run_id, 0, 9) == [piece(1, "\N{GRINNING FACE} first")]
