from support.run_records import new_run

from upcall.domain.failure import MAX_FAILURE_CHARACTERS, Failure


def test_a_long_message_is_shortened_once() -> None:
    """A failure is parsed again whenever its record is read, and for its event."""
    failure = Failure(code="refusal", message="x" * 10_000)

    assert failure.message == "x" * MAX_FAILURE_CHARACTERS + "… (6,000 characters more)"
    assert Failure.model_validate_json(failure.model_dump_json()) == failure
    run = new_run().model_copy(update={"failure": failure})
    assert type(run).model_validate(run.model_dump()).failure == failure


def test_a_message_that_only_ends_like_a_shortened_one_is_shortened() -> None:
    message = "x" * 5000 + "… (1 characters more)"

    assert Failure(code="c", message=message).message.startswith("x" * MAX_FAILURE_CHARACTERS + "… (1,0")
