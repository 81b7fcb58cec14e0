from support.run_records import new_run
from support.runs import Runs

from upcall.aws.run_repository import DynamoDBRunRepository
from upcall.domain.caller import EVENTS


def test_a_local_stack_has_one_tenant(runs: Runs, repository: DynamoDBRunRepository) -> None:
    """Every caller can show and cancel the runs that events have started."""
    run = repository.add_run(new_run(owner=EVENTS))

    assert runs.http.get(f"/runs/{run.run_id}").status_code == 200
    assert runs.http.post(f"/runs/{run.run_id}/cancel").status_code == 200
