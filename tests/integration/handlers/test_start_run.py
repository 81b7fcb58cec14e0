import json
import uuid
from concurrent.futures import ThreadPoolExecutor

from support.sample_events import Invoke, sample_event


def test_a_hundred_requests_at_once_with_one_key_start_one_run(invoke: Invoke) -> None:
    """The table decides which of them adds the run."""
    event = sample_event("start_run")
    event["headers"]["idempotency-key"] = uuid.uuid4().hex
    with ThreadPoolExecutor(100) as pool:
        responses = list(pool.map(lambda _: invoke("StartRunFunction", event), range(100)))

    assert {response["statusCode"] for response in responses} == {202}
    assert len({json.loads(response["body"])["run_id"] for response in responses}) == 1
