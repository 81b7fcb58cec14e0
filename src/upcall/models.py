"""What passes between model, workflow and tools: status, tool call, tool output, usage, message.

The statuses are the Assistants API's words; each run API is translated into them in its own module.
All models are frozen and refuse fields that they do not know.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from upcall.jsontext import json_bytes

Status = Literal[
    "queued",
    "in_progress",
    "requires_action",
    "cancelling",
    "cancelled",
    "failed",
    "completed",
    "incomplete",
    "expired",
]
EndStatus = Literal["cancelled", "failed", "completed", "incomplete", "expired"]
FailureStatus = Literal["cancelled", "failed", "incomplete", "expired"]
END_STATUSES: tuple[EndStatus, ...] = ("cancelled", "failed", "completed", "incomplete", "expired")
OPEN_STATUSES: tuple[Status, ...] = ("queued", "in_progress", "requires_action", "cancelling")

MAX_STATE_BYTES = 262_144
"""Input, output and variables of a Step Functions state (AWS quota)."""

MAX_CALLS_PER_ROUND = 100
"""Whatever a run's limits say: more would leave their outputs no room in the state."""

MIN_OUTPUT_BYTES = 1024
"""Of JSON text that each output may take at least, besides as much again for its own fields."""

MAX_FAILURE_CHARACTERS = 4000
MAX_CODE_CHARACTERS = 200
"""An execution fails with both; Step Functions bounds the one at 32,768 characters, the other at 256."""

RunApiName = Literal["responses", "assistants", "agents"]


class Model(BaseModel):
    """Base of all models: frozen, and closed to unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def read(cls, item: Mapping[str, Any]) -> Self:
        """The model that an item of the table holds, beside attributes that are none of its fields."""
        return cls.model_validate({name: item[name] for name in cls.model_fields if name in item})


class Usage(Model):
    """Tokens, as the run API counted them."""

    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            total_tokens=self.total_tokens + other.total_tokens,
        )


class Handle(Model):
    """Where a run lives upstream: the run API's name and that API's own ids. Opaque to the workflow."""

    run_api: RunApiName
    ids: Mapping[str, str]


class ToolDefinition(Model):
    """A tool as the model gets to know it; `parameters` is a strict JSON schema."""

    name: str
    description: str
    parameters: Mapping[str, Any]


class ToolCall(Model):
    """What the model asks for. `arguments` is the model's own text: JSON if all goes well."""

    call_id: str
    name: str
    arguments: str


class ToolOutput(Model):
    """What the model reads in answer to a call: a tool's output, or an error in words."""

    call_id: str
    outcome: Literal["ok", "error", "unknown"]
    output: str
    started_at: datetime | None = None
    duration_ms: int = 0

    @classmethod
    def given(cls, call: ToolCall, answer: object) -> Self:
        """What a tool's function gave in answer to a call, or an error in words if it is no output."""
        try:
            output = cls.model_validate(answer)
        except ValidationError:
            output = None
        if output is not None and output.call_id == call.call_id:
            return output
        words = (
            f"The tool {call.name} gave no answer that can be read. Whether it had an effect is not known."
        )
        return cls(call_id=call.call_id, outcome="error", output=json.dumps({"error": words}))


class LedgerEntry(Model):
    """A tool call and its output, as the ledger keeps them. Rounds and positions in them count from 1."""

    round: int
    position: int
    call: ToolCall
    output: ToolOutput


def _in_short(words: str) -> str:
    left_out = len(words) - MAX_FAILURE_CHARACTERS
    return words if left_out <= 0 else f"{words[:MAX_FAILURE_CHARACTERS]}… ({left_out:,} characters more)"


class Failure(Model):
    """Why a run ended without a message; the words of a server in short, if they are many."""

    status: FailureStatus = "failed"
    code: Annotated[str, AfterValidator(lambda code: code[:MAX_CODE_CHARACTERS])]
    message: Annotated[str, AfterValidator(_in_short)]


class Message(Model):
    """The final text of a run, with the tokens that its last turn used."""

    text: str
    usage: Usage = Usage()


class Snapshot(Model):
    """How a run stands upstream at one moment, in our words.

    `tool_calls` and `max_output_bytes` are set with `requires_action`, `failure` with a status that
    ends the run without a message, `still_running` where it goes on upstream all the same. `usage`
    counts what this turn used and no earlier snapshot told.
    `pause_seconds` is how long the workflow should wait before it asks again.
    """

    status: Status
    tool_calls: tuple[ToolCall, ...] = ()
    max_output_bytes: int = 0
    usage: Usage = Usage()
    failure: Failure | None = None
    still_running: bool = False
    pause_seconds: float = 0

    @classmethod
    def requires_action(cls, tool_calls: tuple[ToolCall, ...], usage: Usage) -> Self:
        """The model waits for `tool_calls`; each output may take its share of the workflow's state.

        Calls that leave no room there for their outputs end the run.
        """
        count, size = len(tool_calls), sum(_state_bytes(call) for call in tool_calls)
        if count > MAX_CALLS_PER_ROUND:
            words = f"The model asked for {count} tools at once; {MAX_CALLS_PER_ROUND} are allowed at most."
            return cls.given_up(Failure(code="limit_calls_per_round", message=words), usage)
        if size > (most := _room(count) - MIN_OUTPUT_BYTES * count):
            words = f"The model's {count} calls take {size:,} bytes; {most:,} are allowed."
            return cls.given_up(Failure(code="limit_call_bytes", message=words), usage)
        return cls(
            status="requires_action",
            tool_calls=tool_calls,
            max_output_bytes=share_of_state(tool_calls),
            usage=usage,
        )

    @classmethod
    def given_up(cls, failure: Failure, usage: Usage) -> Self:
        """The run ends here, though it is not at its end upstream."""
        return cls(status=failure.status, failure=failure, usage=usage, still_running=True)

    @classmethod
    def failed(cls, failure: Failure, usage: Usage) -> Self:
        """The run ended upstream without a message."""
        return cls(status=failure.status, failure=failure, usage=usage)


def share_of_state(tool_calls: tuple[ToolCall, ...]) -> int:
    """Bytes of JSON text that each output of a round may take.

    Calls and outputs of a round travel together through the state, which holds 262,144 bytes:
    what the calls leave of it, less 1,024 bytes an output for its own fields and 16 KB for the
    rest, is shared out evenly.
    """
    left = _room(len(tool_calls)) - sum(_state_bytes(call) for call in tool_calls)
    return max(left // len(tool_calls), MIN_OUTPUT_BYTES)


def _room(outputs: int) -> int:
    return MAX_STATE_BYTES - 16_384 - MIN_OUTPUT_BYTES * outputs


def _state_bytes(call: ToolCall) -> int:
    return json_bytes(call.model_dump_json())
