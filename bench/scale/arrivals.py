"""When runs arrive, in seconds since midnight."""

import math
import random

DAY_SECONDS = 86_400
BURST_SECONDS = 60

PEAK_HOUR = 14
SWING = 0.8
"""At the peak hour arrive 1.8 times as many runs as on average, twelve hours from it 0.2 times as many."""


def day_curve(runs: int, seed: int) -> list[float]:
    """Independent arrivals whose rate is a cosine over the day."""
    generator = random.Random(seed)  # noqa: S311  # a simulation
    times: list[float] = []
    while len(times) < runs:
        time = generator.random() * DAY_SECONDS
        if generator.random() * (1 + SWING) < relative_rate(time):
            times.append(time)
    return sorted(times)


def relative_rate(time: float) -> float:
    """The rate at a time of the day, as a multiple of the mean."""
    return 1 + SWING * math.cos(2 * math.pi * (time / DAY_SECONDS - PEAK_HOUR / 24))


def burst(runs: int, seed: int) -> list[float]:
    """All within a minute."""
    generator = random.Random(seed)  # noqa: S311  # a simulation
    return sorted(generator.random() * BURST_SECONDS for _ in range(runs))
