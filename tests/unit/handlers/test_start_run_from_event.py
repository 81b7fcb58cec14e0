import json

import pytest
from support.fakes.clock import START
from support.run_records import UPSTREAM_RUN, new_run
from support.sample_events import sample_event, sample_message
from support.templates import resources_of_type
from support.wired_handlers import ENVIRONMENT, NOTHING_FAILED, WiredHandlers

from upcall.domain.caller import ANYBODY, EVENTS
from upcall.domain.quota import QuotaSetting
from upcall.domain.run import Run
from upcall.domain.stop import Stop
from upcall.domain.upstream_run import Message
from upcall.use_cases.start_run_from_event import delay_seconds

DONE = Message(text="Done.")


def started_runs(handlers: WiredHandlers) -> list[Run]:
    """All runs, by prompt."""
    page = handlers.repository.list_runs(owner=None, status=None, limit=100)
    runs = [handlers.repository.get_run(run.run_id) for run in page.runs]
    return sorted(runs, key=lambda run: str(run.prompt))


def test_the_sample_starts_a_run(handlers: WiredHandlers) -> None:
    assert handlers.invoke("start_run_from_event", sample_event("start_run_from_event")) == NOTHING_FAILED

    (run,) = started_runs(handlers)
    assert (run.prompt, run.owner) == ("Summarise https://example.com", EVENTS)
    assert (run.model, run.run_api) == ("gpt-5.4-mini", "responses")
    assert list(handlers.workflow.executions) == [run.run_id]


def test_each_message_of_a_batch_starts_its_run(handlers: WiredHandlers) -> None:
    bodies = [json.dumps({"prompt": f"Say {number}."}) for number in range(3)]

    assert handlers.deliver("start_run_from_event", *bodies) == NOTHING_FAILED
    assert [run.prompt for run in started_runs(handlers)] == ["Say 0.", "Say 1.", "Say 2."]


def test_the_same_message_twice_starts_one_run(handlers: WiredHandlers) -> None:
    for _ in range(2):
        handlers.deliver("start_run_from_event", json.dumps({"prompt": "Go."}))

    assert len(started_runs(handlers)) == 1


@pytest.mark.parametrize("kind", ["run_requested", "object_created", "digest_requested"])
def test_the_same_event_in_two_messages_starts_one_run(handlers: WiredHandlers, kind: str) -> None:
    body = json.dumps(sample_message(kind))

    assert handlers.deliver("start_run_from_event", body, body) == NOTHING_FAILED
    assert len(started_runs(handlers)) == 1


INVALID_MESSAGES = {
    " ": "body: is not JSON",
    "[]": "body: should be an object",
    '{"prompt": "x", "assistant": "nobody"}': "assistant: there is no assistant 'nobody'",
    '{"prompt": "x", "callback_url": "http://10.0.0.1/"}': "callback_url: 10.0.0.1 is not a public address",
    '{"prompt": "x", "previous_run_id": "run_x"}': "previous_run_id: there is no run 'run_x'",
    '{"detail-type": "Birthday"}': "detail-type: should be one of Run Requested, ",
}


@pytest.mark.parametrize(("body", "reason"), INVALID_MESSAGES.items(), ids=[*INVALID_MESSAGES])
def test_a_message_that_asks_for_no_run_goes_to_the_dead_letter_queue_with_the_reason(
    handlers: WiredHandlers, body: str, reason: str
) -> None:
    assert handlers.deliver("start_run_from_event", body) == NOTHING_FAILED

    ((queue, dead_letter, reason_given),) = handlers.dead_letters
    assert (queue, dead_letter) == (ENVIRONMENT["DEAD_LETTER_QUEUE_URL"], body)
    assert reason in reason_given
    assert started_runs(handlers) == []


def test_a_message_whose_id_stands_for_another_request_goes_to_the_dead_letter_queue(
    handlers: WiredHandlers,
) -> None:
    for prompt in ("Go.", "Stop."):
        result = handlers.deliver("start_run_from_event", json.dumps({"prompt": prompt}))

    assert result == NOTHING_FAILED
    assert [reason for _, _, reason in handlers.dead_letters] == [
        "this idempotency key stands for another request"
    ]


def test_messages_whose_runs_cannot_be_started_now_return_to_the_queue_and_start_them_later(
    handlers: WiredHandlers, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unavailable(_: Run) -> None:
        raise ConnectionError("Step Functions is not available")

    bodies = [json.dumps({"prompt": f"Say {number}."}) for number in range(2)]
    with monkeypatch.context() as patches:
        patches.setattr(handlers.workflow, "start_execution", unavailable)
        result = handlers.deliver("start_run_from_event", *bodies)
    assert result == {"batchItemFailures": [{"itemIdentifier": "m0"}, {"itemIdentifier": "m1"}]}
    recorded = started_runs(handlers)

    assert handlers.deliver("start_run_from_event", *bodies) == NOTHING_FAILED

    assert started_runs(handlers) == recorded, "the records of the first try are used"
    assert set(handlers.workflow.executions) == {run.run_id for run in recorded}


def test_one_message_that_cannot_be_handled_now_does_not_hold_back_the_others(
    handlers: WiredHandlers, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_execution = handlers.workflow.start_execution

    def fail_for_one(run: Run) -> None:
        if run.prompt == "Say 1.":
            raise ConnectionError("Step Functions is not available")
        start_execution(run)

    monkeypatch.setattr(handlers.workflow, "start_execution", fail_for_one)
    bodies = [json.dumps({"prompt": f"Say {number}."}) for number in range(2)]

    result = handlers.deliver("start_run_from_event", "not JSON", *bodies)

    assert result == {"batchItemFailures": [{"itemIdentifier": "m2"}]}
    assert len(handlers.dead_letters) == len(handlers.workflow.executions) == 1


@pytest.fixture
def many_tenants(handlers: WiredHandlers, monkeypatch: pytest.MonkeyPatch) -> WiredHandlers:
    monkeypatch.setenv("TENANCY", "many")
    return handlers


def add_completed_run(handlers: WiredHandlers, owner: str) -> Run:
    run = handlers.repository.add_run(new_run(owner=owner))
    handlers.repository.record_creation(run, UPSTREAM_RUN, "polled")
    return handlers.repository.complete_run(run, Message(text="Done."), START)


def request_to_continue(run: Run) -> str:
    return json.dumps({"prompt": "Go on.", "previous_run_id": run.run_id})


def test_an_event_continues_the_run_of_an_event_where_tenants_share_the_stack(
    many_tenants: WiredHandlers,
) -> None:
    """A message of the queue starts the first run, and another one continues it."""
    many_tenants.deliver("start_run_from_event", json.dumps({"prompt": "Go."}))
    (first,) = started_runs(many_tenants)
    many_tenants.repository.record_creation(first, UPSTREAM_RUN, "polled")
    many_tenants.repository.complete_run(many_tenants.repository.get_run(first.run_id), DONE, START)
    event = {
        **sample_message("run_requested"),
        "detail": {"prompt": "Go on.", "previous_run_id": first.run_id},
    }

    assert many_tenants.deliver("start_run_from_event", json.dumps(event)) == NOTHING_FAILED

    assert many_tenants.dead_letters == []
    second, _ = started_runs(many_tenants)
    assert (second.prompt, second.owner, second.previous_run_id) == ("Go on.", EVENTS, first.run_id)
    assert second.previous_upstream_run == UPSTREAM_RUN


@pytest.mark.parametrize("owner", ["https://issuer.test|ann", ANYBODY, ""])
def test_an_event_does_not_continue_the_run_of_a_caller_where_tenants_share_the_stack(
    many_tenants: WiredHandlers, owner: str
) -> None:
    run = add_completed_run(many_tenants, owner)

    assert many_tenants.deliver("start_run_from_event", request_to_continue(run)) == NOTHING_FAILED

    ((_, _, reason),) = many_tenants.dead_letters
    assert reason == f"previous_run_id: there is no run {run.run_id!r}"
    assert started_runs(many_tenants) == [run]


def test_in_a_stack_of_one_tenant_an_event_continues_the_run_of_a_caller(handlers: WiredHandlers) -> None:
    run = add_completed_run(handlers, "ann")

    handlers.deliver("start_run_from_event", request_to_continue(run))

    assert handlers.dead_letters == []
    assert [each.previous_run_id for each in started_runs(handlers) if each.owner == EVENTS] == [run.run_id]


def s3_notification(*keys: str) -> str:
    records = [
        {
            "eventName": "ObjectCreated:Put",
            "s3": {"bucket": {"name": "inbox"}, "object": {"key": key, "size": 1, "eTag": "e"}},
        }
        for key in keys
    ]
    return json.dumps({"Records": records})


def test_each_object_of_a_notification_of_s3_starts_a_run(handlers: WiredHandlers) -> None:
    assert handlers.deliver("start_run_from_event", s3_notification("a.txt", "b+c.txt")) == NOTHING_FAILED

    assert [run.metadata["object"] for run in started_runs(handlers)] == ["a.txt", "b c.txt"]
    assert len(handlers.workflow.executions) == 2


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "inbox"}),
        json.dumps(
            {
                "Records": [
                    {
                        "eventName": "ObjectRemoved:Delete",
                        "s3": {"bucket": {"name": "inbox"}, "object": {"key": "a"}},
                    }
                ]
            }
        ),
    ],
    ids=["a test event", "a deletion"],
)
def test_a_message_that_is_understood_and_asks_for_no_run_is_done(handlers: WiredHandlers, body: str) -> None:
    assert handlers.deliver("start_run_from_event", body) == NOTHING_FAILED

    assert (handlers.dead_letters, started_runs(handlers)) == ([], [])


def test_a_notification_some_of_whose_runs_cannot_be_started_now_starts_each_of_them_once(
    handlers: WiredHandlers, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_execution = handlers.workflow.start_execution

    def fail_for_one(run: Run) -> None:
        if run.metadata["object"] == "b.txt":
            raise ConnectionError("Step Functions is not available")
        start_execution(run)

    body = s3_notification("a.txt", "b.txt", "c.txt")
    with monkeypatch.context() as patches:
        patches.setattr(handlers.workflow, "start_execution", fail_for_one)
        result = handlers.deliver("start_run_from_event", body)
    assert result == {"batchItemFailures": [{"itemIdentifier": "m0"}]}

    assert handlers.deliver("start_run_from_event", body) == NOTHING_FAILED

    runs = started_runs(handlers)
    assert sorted(run.metadata["object"] for run in runs) == ["a.txt", "b.txt", "c.txt"]
    assert set(handlers.workflow.executions) == {run.run_id for run in runs}


@pytest.mark.parametrize(
    ("received", "shortest", "longest"), [(1, 45, 60), (3, 90, 120), (8, 2700, 3600), (999, 2700, 3600)]
)
def test_a_message_waits_in_its_queue_while_runs_are_stopped(
    handlers: WiredHandlers, received: int, shortest: int, longest: int
) -> None:
    body = json.dumps({"prompt": "Go."})
    handlers.repository.stops.append(Stop(scope="all", since=START))

    result = handlers.deliver("start_run_from_event", body, ApproximateReceiveCount=str(received))

    assert result == {"batchItemFailures": [{"itemIdentifier": "m0"}]}
    ((queue, _, seconds),) = handlers.delays
    assert queue == ENVIRONMENT["REQUEST_QUEUE_URL"]
    assert shortest <= seconds <= longest
    assert (started_runs(handlers), handlers.dead_letters) == ([], [])

    handlers.repository.stops.clear()
    assert handlers.deliver("start_run_from_event", body) == NOTHING_FAILED
    assert len(started_runs(handlers)) == 1


def test_a_message_over_the_quota_of_events_waits_and_the_others_of_its_batch_do_not(
    handlers: WiredHandlers,
) -> None:
    handlers.repository.quotas[EVENTS] = QuotaSetting(runs=2)
    bodies = [json.dumps({"prompt": f"Say {number}."}) for number in range(3)]

    for _ in range(2):
        result = handlers.deliver("start_run_from_event", *bodies)
        assert result == {"batchItemFailures": [{"itemIdentifier": "m2"}]}

    assert [run.prompt for run in started_runs(handlers)] == ["Say 0.", "Say 1."]
    assert [2700 <= seconds <= 3600 for *_, seconds in handlers.delays] == [True, True]
    handlers.clock.advance(86_400)
    assert handlers.deliver("start_run_from_event", *bodies) == NOTHING_FAILED
    assert len(started_runs(handlers)) == 3


def test_a_message_is_kept_for_longer_than_a_thousand_deliveries_take() -> None:
    """The queue sends a message to the dead-letter queue after so many, and deletes it after 14 days."""
    shortest = sum(delay_seconds(number, 1, jitter=1) for number in range(1, 1000))

    properties = resources_of_type("AWS::SQS::Queue")["RequestQueue"]
    assert properties["RedrivePolicy"]["maxReceiveCount"] == 1000
    assert shortest > properties["MessageRetentionPeriod"]


def test_a_message_on_which_we_fail_five_times_goes_to_the_dead_letter_queue(
    handlers: WiredHandlers, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Run) -> None:
        raise ValueError("secret")

    monkeypatch.setattr(handlers.workflow, "start_execution", fail)
    body = json.dumps({"prompt": "Go."})

    result = handlers.deliver("start_run_from_event", body, ApproximateReceiveCount="4")
    assert (result["batchItemFailures"], handlers.dead_letters) != ([], [])
    assert handlers.deliver("start_run_from_event", body, ApproximateReceiveCount="5") == NOTHING_FAILED

    reason = "failed 5 times, at last with ValueError"
    assert handlers.dead_letters == [(ENVIRONMENT["DEAD_LETTER_QUEUE_URL"], body, reason)]
