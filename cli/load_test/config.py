"""The configuration of a load test."""

from dataclasses import dataclass


@dataclass(frozen=True)
class LoadTestConfig:
    """The number of runs, how many of them are open at a time, and the faults of the emulator.

    `fault_rate` is the share of the emulator's responses that are faulty, from 0 to 1; `seed` selects them.
    With `webhooks` the runs wait for webhooks, which have faults of their own. Turns are refused that exceed
    `requests_per_minute` or `tokens_per_minute` of their model.
    """

    runs: int = 1000
    concurrency: int = 50
    fault_rate: float = 0.1
    seed: int = 0
    run_api: str | None = None
    webhooks: bool = False
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
