"""What answers a call that waits: a person's decision, or outputs of the run's caller."""

import json
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from upcall.domain.json_size import json_bytes
from upcall.domain.limits import MAX_CALLS_PER_ROUND
from upcall.domain.model import Model
from upcall.domain.open_calls import OpenCall
from upcall.domain.tool_calls import ToolOutput

MAX_REASON_CHARACTERS = 1000


class DecisionRequest(Model):
    """Approve or deny exactly the arguments that were shown: `arguments_digest` comes with them."""

    decision: Literal["approve", "deny"]
    reason: Annotated[
        str,
        StringConstraints(max_length=MAX_REASON_CHARACTERS),
        Field(description="Kept in the ledger. The model reads why a call was denied."),
    ] = ""
    arguments_digest: Annotated[
        str,
        StringConstraints(pattern="^[0-9a-f]{64}$"),
        Field(description="The digest that the run shows beside the arguments."),
    ]


class GivenOutput(Model):
    """The output of a call, or why there is none. `call_id` is the server's, or the `id` in the run."""

    call_id: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    output: Annotated[str | None, Field(description="What the model reads.")] = None
    error: Annotated[str | None, Field(description="In place of an output: what went wrong.")] = None

    @model_validator(mode="after")
    def _check_output_or_error(self) -> Self:
        if (self.output is None) == (self.error is None):
            raise ValueError("needs either an output or an error")
        return self

    def for_call(self, open_call: OpenCall) -> ToolOutput:
        """The output of this call. Raises ValueError if it is too large."""
        text = json.dumps({"error": self.error}, ensure_ascii=False) if self.output is None else self.output
        size, most = json_bytes(text), open_call.max_output_bytes
        if size > most:
            raise ValueError(f"takes {size:,} bytes as a JSON string; at most {most:,} are allowed here")
        outcome = "error" if self.output is None else "ok"
        return ToolOutput(call_id=open_call.call.call_id, outcome=outcome, output=text)


class ToolOutputsRequest(Model):
    """Outputs of calls that wait for their caller: one, some or all of them."""

    outputs: Annotated[tuple[GivenOutput, ...], Field(min_length=1, max_length=MAX_CALLS_PER_ROUND)]
