"""The text that the model writes, in the pieces in which it becomes known before its turn ends."""

from typing import NamedTuple

from upcall.domain.model import Model
from upcall.domain.upstream_run import UpstreamRun

PIECE_SECONDS = 1.0
"""Between two pieces. A piece costs a write, and each who follows the run a read."""

MAX_PIECES = 10_000
"""Of a run. What the model writes after that is known when its turn ends."""

MAX_PIECE_CHARACTERS = 50_000
"""Of a piece. They take at most 200 KB of an item's 400 KB."""


class TextDelta(NamedTuple):
    """What the server has sent of a turn's text, up to a position in its stream. The text may be empty."""

    position: int
    text: str


class TextPiece(Model):
    """A piece of a turn's text. The pieces of a run are numbered from 1 on; a number never changes.

    `offset` is the number of characters before it. With the offset 0 a text begins: what was written before
    belongs to an earlier turn, or to one that failed. `round` is the number of rounds before the turn.
    """

    number: int
    round: int
    offset: int
    text: str


class StoredPiece(TextPiece):
    """A piece with the turn that it belongs to, and the position in its stream to go on from."""

    upstream_run: UpstreamRun
    position: int
