"""What a load is to be, and what came of one run of it."""

from dataclasses import dataclass

from upcall.domain.views import RunView


@dataclass(frozen=True)
class Order:
    """So many runs, so many of them under way at a time; a share of the emulator's answers is wrong."""

    runs: int = 1000
    concurrency: int = 50
    faulty_share: float = 0.1
    seed: int = 0
    run_api: str | None = None


@dataclass(frozen=True)
class Sent:
    """One run of a load. Times are seconds since the load began.

    `run_id` is None where no POST was answered, `run` where no answer showed how the run stands; `trouble`
    says why.
    """

    began: float
    ended: float
    run_id: str | None = None
    run: RunView | None = None
    trouble: str = ""

    @property
    def terminal(self) -> bool:
        """Whether the run was seen to have ended."""
        return self.run is not None and self.run.ended
