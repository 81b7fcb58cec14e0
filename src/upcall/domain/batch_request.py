"""What a caller sends to start a batch, and how a line of its inputs becomes a request for a run."""

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from upcall.domain.batch import InputFormat
from upcall.domain.completion_window import CompletionWindow
from upcall.domain.errors import FieldError, InvalidInput
from upcall.domain.json_document import check_json
from upcall.domain.limits import MIN_USD
from upcall.domain.model import Model
from upcall.domain.run_request import Metadata, RunRequest, Text
from upcall.domain.validation import field_errors

MAX_INLINE_INPUTS: Final = 1000
MAX_LINES: Final = 1_000_000
MAX_LINE_BYTES: Final = 1_000_000
"""Of one input. A prompt has at most 100 KB; JSON escapes may take the rest, as in a request for one run."""

MAX_CONCURRENCY: Final = 1000
DEFAULT_CONCURRENCY: Final = 50
MAX_DEFAULTS_BYTES: Final = 200_000
MAX_CUSTOM_ID_CHARACTERS: Final = 200
MAX_KEY_BYTES: Final = 1024

_PLACEHOLDER = re.compile(r"\{\{([^{}]+)\}\}")
_CUSTOM_ID = "custom_id"
_MAX_GROWTH: Final = 8
"""Of JSON that is written again: 1e15 becomes 1000000000000000.0."""

_OF_ONE_RUN = ("prompt", "input", "previous_run_id", "completion_window")
"""Fields that no defaults have: they belong to one run, or stand beside the defaults."""


def _check_defaults(defaults: dict[str, Any]) -> dict[str, Any]:
    check_json(defaults, MAX_DEFAULTS_BYTES)
    for name in _OF_ONE_RUN:
        if name in defaults:
            raise ValueError(f"must not have {name!r}")
    try:
        RunRequest.model_validate({**defaults, "prompt": "any"})
    except ValidationError as error:
        first, *_ = field_errors(error)
        raise ValueError(f"{first.field}: {first.reason}") from None
    return defaults


def _check_input(value: str | dict[str, Any]) -> str | dict[str, Any]:
    check_json(value, MAX_LINE_BYTES)
    return value


Inputs = Annotated[
    tuple[Annotated[str | dict[str, Any], AfterValidator(_check_input)], ...],
    Field(
        min_length=1,
        max_length=MAX_INLINE_INPUTS,
        description="Prompts, or objects with the fields of a run or those of the prompt template.",
    ),
]


class BatchRequest(Model):
    """A request to start a batch: the inputs, or the key of an object in the bucket for batches."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["inputs"]}, {"required": ["input_key"]}]}
    )

    input_key: (
        Annotated[
            str,
            StringConstraints(min_length=1, max_length=MAX_KEY_BYTES),
            Field(description="The key of an object in the stack's bucket for batches, in place of inputs."),
        ]
        | None
    ) = None
    inputs: Annotated[Inputs | None, Field(validate_default=True)] = None
    input_format: Annotated[
        InputFormat, Field(description="The form of the object: a JSON value per line, or CSV with a header.")
    ] = "jsonl"
    prompt_template: (
        Annotated[Text, Field(description="The prompt. {{name}} is replaced by that field of the line.")]
        | None
    ) = None
    defaults: Annotated[
        dict[str, Any],
        AfterValidator(_check_defaults),
        Field(description="Fields of every run, as in POST /runs. A line may have others."),
    ] = Field(default_factory=dict)
    completion_window: CompletionWindow | None = None
    concurrency: Annotated[
        int, Field(ge=1, le=MAX_CONCURRENCY, description="How many runs are under way at once.")
    ] = DEFAULT_CONCURRENCY
    tolerated_failures: Annotated[
        float,
        Field(ge=0, le=1, allow_inf_nan=False, description="The share of lines that may fail."),
        AfterValidator(lambda share: round(share, 9)),
    ] = 1
    budget_usd: (
        Annotated[
            float,
            Field(
                ge=MIN_USD,
                le=1_000_000,
                allow_inf_nan=False,
                description="What the model may cost, in dollars. From then on no run is started.",
            ),
        ]
        | None
    ) = None
    metadata: Metadata = Field(default_factory=dict)

    @field_validator("input_key")
    @classmethod
    def _check_key(cls, key: str | None) -> str | None:
        if key is not None and not key.isprintable():
            raise ValueError("must be printable characters")
        return key

    @field_validator("inputs")
    @classmethod
    def _check_one_source(cls, inputs: Any, info: ValidationInfo) -> Any:
        if "input_key" in info.data and (inputs is None) == (info.data["input_key"] is None):
            reason = "is required, or input_key" if inputs is None else "must not stand beside input_key"
            raise ValueError(reason)
        return inputs

    def run_defaults(self) -> dict[str, Any]:
        """The fields of each run, with the completion window of the batch."""
        window = self.completion_window
        return {**self.defaults, **({"completion_window": window} if window else {})}


class LineInput(Model):
    """What a line of the inputs says: a prompt, or fields by their names; and its name in the results."""

    fields: dict[str, Any]
    custom_id: str | None = None

    def run_request(self, defaults: Mapping[str, Any], prompt_template: str | None) -> RunRequest:
        """The request of the line's run. With a template, the fields are those of the template.

        Fields that the line has replace the defaults. Raises InvalidInput.
        """
        fields = self.fields
        if prompt_template is not None:
            fields = {"prompt": fill_template(prompt_template, fields)}
        elif _CUSTOM_ID in fields:
            fields = {name: each for name, each in fields.items() if name != _CUSTOM_ID}
        try:
            return RunRequest.model_validate({**defaults, **fields})
        except ValidationError as error:
            raise InvalidInput(*field_errors(error)) from None


def parse_line(data: bytes) -> LineInput:
    """Parse one line: a JSON string is a prompt, an object has fields. Raises InvalidInput."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        reason = error.msg if isinstance(error, json.JSONDecodeError) else "cannot be read"
        raise InvalidInput(FieldError("line", f"is not JSON: {reason}")) from None
    if isinstance(value, str):
        value = {"prompt": value}
    if not isinstance(value, dict):
        raise InvalidInput(FieldError("line", "must be a JSON string or object"))
    try:
        check_json(value, MAX_LINE_BYTES * _MAX_GROWTH)
    except ValueError as error:
        raise InvalidInput(FieldError("line", str(error))) from None
    custom_id = value.get(_CUSTOM_ID)
    if custom_id is not None and not (
        isinstance(custom_id, str) and 0 < len(custom_id) <= MAX_CUSTOM_ID_CHARACTERS
    ):
        reason = f"must be a string of 1 to {MAX_CUSTOM_ID_CHARACTERS} characters"
        raise InvalidInput(FieldError(_CUSTOM_ID, reason))
    return LineInput(fields=value, custom_id=custom_id)


def fill_template(template: str, fields: Mapping[str, Any]) -> str:
    """The template with each `{{name}}` replaced by that field. Other values than strings appear as JSON.

    Raises InvalidInput for a field that the line does not have.
    """

    def replace(match: re.Match[str]) -> str:
        name = match[1].strip()
        if name not in fields:
            reason = f"names {name!r}, which this line does not have"
            raise InvalidInput(FieldError("prompt_template", reason))
        value = fields[name]
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

    return _PLACEHOLDER.sub(replace, template)
