"""The delay that a way of waiting adds to the model's own time."""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from openai import OpenAI

from bench.waiting.sdk_loops import run_create_and_poll, run_responses_loop
from bench.waiting.stack_process import StackProcess, measure_run
from bench.waiting.timed_emulator import TimedEmulator

FRACTIONS = ((0.1, 0.6), (0.35, 0.85))
"""Added to the seconds of the two turns, in two runs of each length. A loop that polls every second would
meet the end of a turn of whole seconds at once. Over these four waits its delay is what it is on average."""

REPETITIONS_WITHOUT_THINKING = 3


@dataclass(frozen=True)
class TimedRun:
    """A run of a mode.

    `seconds` is the time of the run, `turn_seconds` that of the model's turns, and `noticed` how long after
    the end of each turn the server was asked for it.
    """

    mode: str
    turn_seconds: Sequence[float]
    seconds: float
    noticed: Sequence[float]

    @property
    def length(self) -> int:
        """The whole seconds of a turn."""
        return int(self.turn_seconds[0])

    @property
    def rest(self) -> float:
        """The seconds of the run in which the model did not think."""
        return self.seconds - sum(self.turn_seconds)


@dataclass(frozen=True)
class Mode:
    """A way of waiting. `run` makes a run of a model, and returns its seconds.

    `run` gets the model's name and how long its turns take together.
    """

    name: str
    run: Callable[[str, float], float]


def sdk_modes(base_url: str) -> list[Mode]:
    """The modes of the OpenAI SDK."""
    client = OpenAI(api_key="none", base_url=base_url)

    def timed(loop: Callable[[OpenAI, str], str]) -> Callable[[str, float], float]:
        def run(model: str, _: float) -> float:
            start = time.perf_counter()
            if not loop(client, model):
                raise SystemExit("a run has no message")
            return time.perf_counter() - start

        return run

    return [
        Mode("Responses, polled every second", timed(run_responses_loop)),
        Mode("create_and_poll", timed(run_create_and_poll)),
    ]


def upcall_mode(name: str, stack: StackProcess) -> Mode:
    """Upcall as the stack is configured."""
    return Mode(name, lambda model, seconds: stack.call(measure_run, model, seconds))


def measure_mode(
    mode: Mode, emulator: TimedEmulator, page: str, lengths: Sequence[int]
) -> Iterator[TimedRun]:
    """Runs of two turns: some whose model does not think, then two of each length. A first run warms up."""

    def measure(turn_seconds: Sequence[float]) -> TimedRun:
        model = emulator.script(turn_seconds, page)
        seconds = mode.run(model, sum(turn_seconds))
        return TimedRun(mode.name, turn_seconds, seconds, emulator.seconds_until_noticed(model))

    without_thinking = (0.0, 0.0)
    measure(without_thinking)
    for _ in range(REPETITIONS_WITHOUT_THINKING):
        yield measure(without_thinking)
    for length in lengths:
        for fractions in FRACTIONS:
            yield measure([length + fraction for fraction in fractions])


@dataclass(frozen=True)
class Delay:
    """The delay of a mode with turns of about `length` seconds, the mean of its runs.

    `rest` is all time of a run in which the model did not think, `overhead` that of a run whose model does
    not think at all. What is left is the delay: `added` seconds in all `waits`. `noticed` is how long after
    the end of a turn the server was asked for it.
    """

    mode: str
    length: int
    rest: float
    overhead: float
    waits: int
    noticed: float

    @property
    def added(self) -> float:
        """Seconds that waiting added to the run."""
        return self.rest - self.overhead

    @property
    def per_wait(self) -> float:
        """Seconds that it added to each wait."""
        return self.added / self.waits


def compute_delays(runs: Sequence[TimedRun]) -> list[Delay]:
    """The delays of all modes and lengths, in the order of the runs."""
    delays = []
    for mode in dict.fromkeys(run.mode for run in runs):
        own = [run for run in runs if run.mode == mode]
        overhead = statistics.median(run.rest for run in own if not any(run.turn_seconds))
        thinking = [run for run in own if any(run.turn_seconds)]
        for length in dict.fromkeys(run.length for run in thinking):
            same = [run for run in thinking if run.length == length]
            delays.append(
                Delay(
                    mode=mode,
                    length=length,
                    rest=statistics.mean(run.rest for run in same),
                    overhead=overhead,
                    waits=len(same[0].turn_seconds),
                    noticed=statistics.mean(each for run in same for each in run.noticed),
                )
            )
    return delays
