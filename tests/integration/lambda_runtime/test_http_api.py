import json
from concurrent.futures import ThreadPoolExecutor

from support.sample_events import Invoke, sample_event


def test_concurrent_requests_do_not_read_each_others_bodies(invoke: Invoke) -> None:
    """On the local stack they share a process, and Powertools' resolver handles one request at a time."""

    def has_its_own_problem(number: int) -> bool:
        body = json.dumps({"prompt": "x", f"field_{number}": 1})
        problem = json.loads(invoke("StartRunFunction", sample_event("start_run", body=body))["body"])
        expected = [{"field": f"field_{number}", "reason": "Extra inputs are not permitted"}]
        return bool(problem["errors"] == expected)

    with ThreadPoolExecutor(50) as pool:
        assert all(pool.map(has_its_own_problem, range(500)))
