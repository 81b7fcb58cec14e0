"""Many requests in one moment: each is a run, and each run ends.

They are made as a caller should: with a key, and again where the answer was lost or a 5xx. On a busy laptop
a function may not be done in its 30 seconds.
"""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle

from support.runs import Runs

from cli.backends.http_client import Api
from local.openai_emulator import Say
from local.stack import LocalStack
from upcall.aws.dynamodb import Table
from upcall.aws.run_repository import DynamoDBRunRepository
from upcall.domain.run_request import RunRequest

AT_ONCE = int(os.environ.get("UPCALL_AT_ONCE", "60"))
"""200 are well, where nobody else is at work: `UPCALL_AT_ONCE=200`."""
PATIENCE_SECONDS = 120


def test_as_many_different_requests_at_once_are_as_many_completed_runs(
    runs: Runs, laptop: LocalStack
) -> None:
    model = laptop.emulator.script(Say("Done."))
    store = DynamoDBRunRepository(Table(laptop.stack.dynamodb, laptop.stack.table), 30)
    requests = [RunRequest(prompt=f"Say {number}.", model=model) for number in range(AT_ONCE)]

    with (
        Api(laptop.addresses.api) as one,
        Api(laptop.addresses.api) as other,  # a client has a hundred connections
        ThreadPoolExecutor(AT_ONCE) as pool,
    ):
        ids = list(pool.map(lambda api, asked: api.start(asked), cycle((one, other)), requests))

    assert len(set(ids)) == AT_ONCE
    deadline = time.monotonic() + PATIENCE_SECONDS
    for run_id in ids:
        while not store.get_run(run_id).ended and time.monotonic() < deadline:
            time.sleep(0.1)
    ended = [store.get_run(run_id) for run_id in ids]
    assert {run.status for run in ended} == {"completed"}
    assert [run.prompt for run in ended] == [asked.prompt for asked in requests]
    assert {store.get_message(run) for run in ended} == {"Done."}
    assert {runs.ended_execution(run_id)["status"] for run_id in ids} == {"SUCCEEDED"}
    assert len(laptop.emulator.brain.heard[model]) == AT_ONCE
