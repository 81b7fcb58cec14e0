from support.sample_events import Invoke, Recorded, sample

from local.stack import LocalStack
from upcall.aws.run_repository import DynamoDBRunRepository


def test_a_run_is_created_upstream_and_its_ids_are_recorded(
    invoke: Invoke, recorded: Recorded, store: DynamoDBRunRepository
) -> None:
    run = recorded()
    made = invoke("CreateRunFunction", sample("create_run", run_id=run.run_id))

    assert made["handle"]["ids"]["response_id"].startswith("resp_")
    assert made["tools"] == ["fetch", "read_object"]
    assert made["limits"] == {
        "rounds": 10,
        "calls_per_round": 50,
        "seconds": 900,
        "tokens": 1_000_000,
    }
    found = store.get_run(run.run_id)
    assert found.status == "in_progress"
    assert found.handle is not None
    assert found.handle.model_dump() == made["handle"]


def test_a_second_try_takes_the_run_that_the_first_one_created(
    invoke: Invoke, recorded: Recorded, laptop: LocalStack
) -> None:
    run = recorded()
    event = sample("create_run", run_id=run.run_id)

    assert invoke("CreateRunFunction", event) == invoke("CreateRunFunction", event)
    assert len(laptop.emulator.brain.heard[run.model]) == 1
