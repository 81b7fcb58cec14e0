"""Starts the runs of a load over HTTP, so many at a time, and waits for the end of each."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed

from cli.backends.http_client import Api
from cli.commands.run import request
from cli.errors import Problem
from cli.load_test.config import Order, Sent
from cli.load_test.event_listener import Ear
from upcall.domain.errors import UpcallError

PATIENCE_SECONDS = 600
"""A run that has not ended after that is lost: the workflow's own retries take minutes at most."""

ASK_EVERY_SECONDS = 20
"""While a run's end is not announced."""


def drive(order: Order, api: Api, prompt: str, ear: Ear, told: Callable[[Sent], None]) -> list[Sent]:
    """Start and follow all runs of a load; `told` hears of each as it is done with."""
    asked = request(prompt, {"run_api": order.run_api})
    begin = time.monotonic()

    def since() -> float:
        return time.monotonic() - begin

    def one() -> Sent:
        began = since()
        run_id = run = None
        try:
            run_id = api.start(asked)
            while since() - began < PATIENCE_SECONDS:
                ear.wait_for(run_id, ASK_EVERY_SECONDS)
                run = api.run(run_id)
                if run.ended:
                    break
        except (Problem, UpcallError) as error:
            return Sent(began, since(), run_id, run, str(error))
        return Sent(began, since(), run_id, run)

    sent = []
    with ThreadPoolExecutor(order.concurrency) as pool:
        for done in as_completed(pool.submit(one) for _ in range(order.runs)):
            sent.append(done.result())
            told(sent[-1])
    return sent
