"""Show the message of a run part by part: a long one does not fit into one response."""

from upcall.domain.caller import Caller
from upcall.domain.errors import NotFound
from upcall.domain.views import MessagePage
from upcall.use_cases.get_run import get_run_of_caller
from upcall.use_cases.interfaces import RunRepository


def get_message(run_id: str, cursor: str | None, caller: Caller, *, repository: RunRepository) -> MessagePage:
    """The first part of a run's message, or the part at `cursor`.

    Raises NotFound for a run without a message, for a part that does not exist, and for a run of another
    caller.
    """
    run = get_run_of_caller(run_id, caller, repository)
    number = int(cursor or 0)
    text = repository.get_message_part(run, number)
    if text is None:
        raise NotFound(f"run {run_id} has no {'such part of its message' if cursor else 'message'}")
    following = number + 1
    return MessagePage(text=text, next_cursor=str(following) if following < run.message_parts else None)
