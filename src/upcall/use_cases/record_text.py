"""Write down the text of a turn while the model writes it."""

from dataclasses import dataclass

from upcall.domain.errors import RequestRejected, TransientError
from upcall.domain.message_text import MAX_PIECE_CHARACTERS, MAX_PIECES, PIECE_SECONDS, StoredPiece
from upcall.domain.upstream_run import UpstreamRun
from upcall.observability.logging import logger
from upcall.run_apis.base import RunApi
from upcall.use_cases.interfaces import Clock, RunRepository


def record_text(
    run_id: str,
    upstream_run: UpstreamRun,
    round_number: int,
    seconds: float,
    *,
    repository: RunRepository,
    run_api: RunApi,
    clock: Clock,
) -> None:
    """Record what the model writes until its turn or its stream ends, for at most so many seconds.

    `round_number` counts the rounds before this turn. Goes on where an earlier window ended. An error of the
    server ends the stream only: how the run stands is polled.
    """
    text = _TurnText.after_last_piece(run_id, upstream_run, round_number, repository)
    due = clock.monotonic()
    try:
        for delta in run_api.stream_text(upstream_run, text.position, seconds):
            text.unrecorded += delta.text
            text.position = delta.position
            if text.unrecorded and clock.monotonic() >= due:
                if not text.record():
                    return
                due = clock.monotonic() + PIECE_SECONDS
    except TransientError as error:
        logger.info("stream ended", error=str(error))
    except RequestRejected as error:  # its message may quote what the server was sent
        logger.info("stream ended", error=error.code)
    text.record()


@dataclass
class _TurnText:
    """The text of a turn: where the next piece begins, and what has come of it."""

    run_id: str
    upstream_run: UpstreamRun
    round_number: int
    repository: RunRepository
    number: int
    offset: int = 0
    position: int | None = None
    unrecorded: str = ""

    @classmethod
    def after_last_piece(
        cls, run_id: str, upstream_run: UpstreamRun, round_number: int, repository: RunRepository
    ) -> "_TurnText":
        """Goes on after the newest piece if that belongs to the turn, and begins anew otherwise."""
        last = repository.get_last_piece(run_id)
        text = cls(run_id, upstream_run, round_number, repository, last.number + 1 if last else 1)
        if last is not None and last.upstream_run == upstream_run:
            text.offset, text.position = last.offset + len(last.text), last.position
        return text

    def record(self) -> bool:
        """Record what has come. Returns whether to go on: not if another invocation records this turn."""
        while self.unrecorded and self.position is not None:
            text = self.unrecorded[:MAX_PIECE_CHARACTERS]
            piece = StoredPiece(
                number=self.number,
                round=self.round_number,
                offset=self.offset,
                text=text,
                upstream_run=self.upstream_run,
                position=self.position,
            )
            is_recorded = self.repository.add_piece(self.run_id, piece)
            self.number += 1
            self.offset += len(text)
            self.unrecorded = self.unrecorded[len(text) :]
            if not is_recorded or self.number > MAX_PIECES:
                return False
        return True
