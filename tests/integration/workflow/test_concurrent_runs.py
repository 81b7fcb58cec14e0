"""Many requests at the same moment: each starts a run, and each run completes.

They are made as a caller should make them: with an idempotency key, and again if the response was lost or a 5xx. On
a busy machine a function may exceed its 30 seconds.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle

from support.event_listener import EventListener
from support.runs import Runs

from local.openai_emulator import Say
from local.stack import LocalStack
from upcall.aws.run_repository import DynamoDBRunRepository
from upcall.client import UpcallClient
from upcall.domain.run_request import RunRequest

REQUESTS = int(os.environ.get("UPCALL_CONCURRENT_RUNS", "40"))
"""200 work on a machine that does nothing else: `UPCALL_CONCURRENT_RUNS=200`."""


def test_every_one_of_many_concurrent_requests_is_a_completed_run(
    runs: Runs,
    local_stack: LocalStack,
    repository: DynamoDBRunRepository,
    event_listener: EventListener,
) -> None:
    model = local_stack.emulator.script(Say("Done."))
    requests = [RunRequest(prompt=f"Say {number}.", model=model) for number in range(REQUESTS)]

    with (
        UpcallClient(local_stack.endpoints.api) as first,
        UpcallClient(local_stack.endpoints.api) as second,  # a client has a hundred connections
        ThreadPoolExecutor(REQUESTS) as pool,
    ):
        run_ids = list(
            pool.map(lambda client, request: client.start_run(request), cycle((first, second)), requests)
        )

    assert len(set(run_ids)) == REQUESTS
    executions = [runs.wait_for_execution(run_id) for run_id in run_ids]
    ended = [repository.get_run(run_id) for run_id in run_ids]
    assert {run.status for run in ended} == {"completed"}
    assert [run.prompt for run in ended] == [request.prompt for request in requests]
    assert {repository.get_message(run) for run in ended} == {"Done."}
    assert {execution["status"] for execution in executions} == {"SUCCEEDED"}
    assert len(local_stack.emulator.models.conversations[model]) == REQUESTS
