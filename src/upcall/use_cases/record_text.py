"""Write down the text of a turn while the model writes it."""

from upcall.domain.errors import RequestRejected, TransientError
from upcall.domain.message_text import MAX_PIECES, StoredPiece
from upcall.domain.upstream_run import UpstreamRun
from upcall.observability.logging import logger
from upcall.run_apis.base import RunApi
from upcall.use_cases.interfaces import Clock, RunRepository

PIECE_SECONDS = 1.0
"""Between two pieces. A piece costs a write, and each who follows the run a read."""


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
    last = repository.get_last_piece(run_id)
    number = last.number if last else 0
    before = last if last and last.upstream_run == upstream_run else None
    offset, position = (before.offset + len(before.text), before.position) if before else (0, None)
    text, due = "", clock.monotonic()

    def add_piece() -> bool:
        """Write down what has come. Returns whether to go on: not if another invocation records this turn."""
        nonlocal number, offset, text
        if not text or position is None:
            return True
        number += 1
        piece = StoredPiece(
            number=number,
            round=round_number,
            offset=offset,
            text=text,
            upstream_run=upstream_run,
            position=position,
        )
        offset, text = offset + len(text), ""
        return repository.add_piece(run_id, piece) and number < MAX_PIECES

    try:
        for delta in run_api.stream_text(upstream_run, position, seconds):
            text += delta.text
            position = delta.position
            if text and clock.monotonic() >= due:
                if not add_piece():
                    return
                due = clock.monotonic() + PIECE_SECONDS
    except TransientError as error:
        logger.info("stream ended", error=str(error))
    except RequestRejected as error:  # its message may quote what the server was sent
        logger.info("stream ended", error=error.code)
    add_piece()
