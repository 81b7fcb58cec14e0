"""`upcall bench load` with runs that fight rate limits each on its own, to compare.

It takes the options of `upcall bench load`:
`python -m bench.without_back_pressure --runs 200 --concurrency 200 --faults 0 --requests-per-minute 60`.
"""

import sys
from unittest.mock import patch

from cli.main import app
from upcall.domain.rate_limit import ServerLimits
from upcall.use_cases.turn_pacing import TurnPacing


def _go_at_once(_: TurnPacing) -> float:
    return 0


def _ignore(_: TurnPacing, seen: ServerLimits, requested_at: float) -> None:
    """Learn nothing from a response."""


def main() -> None:
    """Run the load test in this process, where the functions of the local stack run, too."""
    with patch.multiple(TurnPacing, wait_for_turn=_go_at_once, queue_again=_go_at_once, observe=_ignore):
        app(["bench", "load", *sys.argv[1:]])


if __name__ == "__main__":
    main()
