import pytest
from support.fakes.clock import START

from cli.control.switch import takes_messages
from upcall.domain.stop import Scope, Stop


@pytest.mark.parametrize(
    ("stops", "expected"),
    [
        ([], True),
        ([("all", "")], False),
        ([("caller", "events")], False),
        ([("caller", "ann"), ("batch", "events")], True),
        ([("caller", "ann"), ("all", "")], False),
    ],
)
def test_messages_are_taken_unless_the_runs_of_events_are_stopped(
    stops: list[tuple[Scope, str]], expected: bool
) -> None:
    found = [Stop(scope=scope, name=name, since=START) for scope, name in stops]

    assert takes_messages(found) is expected
