"""A run as the OpenAI server has it: where it lives there, how it stands, and its message."""

from collections.abc import Mapping
from typing import Literal, Self

from upcall.domain.failure import Failure
from upcall.domain.model import Model
from upcall.domain.state_budget import output_budget
from upcall.domain.status import Status
from upcall.domain.tool_calls import ToolCall
from upcall.domain.upstream_errors import NO_ERRORS, UpstreamErrors
from upcall.domain.usage import NO_USAGE, Usage

RunApiName = Literal["responses", "assistants", "agents"]


class UpstreamRun(Model):
    """Where a run lives upstream: its run API and that API's own ids. Only that run API reads the ids."""

    run_api: RunApiName
    ids: Mapping[str, str]


class Message(Model):
    """The final text of a run, with the tokens that its last turn used. A model may refuse instead."""

    text: str
    refusal: str = ""
    usage: Usage = Usage()


class UpstreamSnapshot(Model):
    """How a run stands upstream at one moment, in our statuses.

    `tool_calls` and `max_output_bytes` come with `requires_action`. `failure` comes with a status that ends
    the run without a message; `still_running` then says that it goes on upstream and must be cancelled there,
    and `repeat` that it failed for a reason that passes: its turn may be requested again. `usage` counts the
    tokens of this turn that no earlier snapshot has counted. The workflow waits `pause_seconds` before its
    next request. `errors` are those of the last requests in a row.
    """

    status: Status
    tool_calls: tuple[ToolCall, ...] = ()
    max_output_bytes: int = 0
    usage: Usage = Usage()
    failure: Failure | None = None
    still_running: bool = False
    repeat: bool = False
    pause_seconds: float = 0
    errors: UpstreamErrors = NO_ERRORS

    @classmethod
    def requires_action(cls, tool_calls: tuple[ToolCall, ...], usage: Usage) -> Self:
        """The model waits for the outputs of these calls."""
        return cls(
            status="requires_action",
            tool_calls=tool_calls,
            max_output_bytes=output_budget(tool_calls),
            usage=usage,
        )

    @classmethod
    def stopped(cls, failure: Failure, usage: Usage = NO_USAGE) -> Self:
        """We end the run here, though it goes on upstream."""
        return cls(status=failure.status, failure=failure, usage=usage, still_running=True)

    @classmethod
    def failed(cls, failure: Failure, usage: Usage, *, repeat: bool = False) -> Self:
        """The run ended upstream without a message."""
        return cls(status=failure.status, failure=failure, usage=usage, repeat=repeat)
