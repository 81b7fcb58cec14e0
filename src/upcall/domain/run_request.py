"""What a caller sends to start a run."""

from typing import Annotated, Any, Literal, NotRequired

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints, ValidationInfo, field_validator
from typing_extensions import TypedDict

from upcall.domain.caller_tools import CallerTools
from upcall.domain.completion_window import CompletionWindow
from upcall.domain.json_document import check_json
from upcall.domain.limits import LimitsRequest
from upcall.domain.model import Model
from upcall.domain.upstream_run import RunApiName

MAX_PROMPT_BYTES = 100 * 1024
"""Of a prompt, or of all items of an input together, as UTF-8. It fits into one DynamoDB item (400 KB)."""

MAX_INPUT_ITEMS = 200
MAX_SCHEMA_BYTES = 32 * 1024
MAX_URL_CHARACTERS = 2048


def _check_text(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise ValueError("must be Unicode text; it holds half of a surrogate pair") from None
    _check_size(size)
    return text


def _check_size(size: int) -> None:
    if size > MAX_PROMPT_BYTES:
        raise ValueError(f"must be at most {MAX_PROMPT_BYTES:,} bytes of UTF-8, not {size:,}")


Text = Annotated[str, AfterValidator(_check_text), Field(min_length=1)]
MetadataKey = Annotated[str, StringConstraints(min_length=1, max_length=64)]
MetadataValue = Annotated[str, StringConstraints(max_length=512)]
Metadata = Annotated[dict[MetadataKey, MetadataValue], Field(max_length=16)]
"""The caller's own labels of a run, within the limits that OpenAI sets for metadata."""


class InputItem(Model):
    """A message of a conversation."""

    type: Literal["message"] = "message"
    role: Literal["user", "assistant"]
    content: Text


def _check_items(items: tuple[InputItem, ...]) -> tuple[InputItem, ...]:
    _check_size(sum(len(item.content.encode()) for item in items))
    if items[-1].role != "user":
        raise ValueError("must end with an item of the user")
    return items


Input = Annotated[
    tuple[InputItem, ...],
    Field(min_length=1, max_length=MAX_INPUT_ITEMS),
    AfterValidator(_check_items),
]


class JsonSchema(TypedDict):
    """The schema of a structured output, in OpenAI's form."""

    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]

    name: Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
    schema: dict[str, Any]
    description: NotRequired[Annotated[str, StringConstraints(max_length=1024)]]
    strict: NotRequired[bool]


def _check_schema(schema: JsonSchema) -> JsonSchema:
    check_json(schema, MAX_SCHEMA_BYTES)
    return schema


class ResponseFormat(Model):
    """Structured output: the message must be JSON of this schema. The Agents API does not have it."""

    type: Literal["json_schema"]
    json_schema: Annotated[JsonSchema, AfterValidator(_check_schema)]


Instructions = Annotated[Text, Field(description="In place of the assistant's instructions.")]
Temperature = Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)]
MaxOutputTokens = Annotated[int, Field(ge=1, description="Of one turn of the model, reasoning included.")]


class Reasoning(Model):
    """How much the model reasons before it answers. The server knows which efforts its models have."""

    effort: Annotated[str, StringConstraints(pattern="^[a-z]{1,20}$")]


class RunRequest(Model):
    """A request to start a run: a prompt, or the items of a conversation that ends with the user's."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["prompt"]}, {"required": ["input"]}]}
    )

    input: Annotated[Input, Field(description="A conversation, in place of a prompt.")] | None = None
    prompt: Annotated[
        Annotated[Text, Field(description="What to do. At most 100 KB of UTF-8.")] | None,
        Field(validate_default=True),
    ] = None
    assistant: Annotated[str, Field(description="The assistant: a name of GET /assistants.")] | None = None
    model: (
        Annotated[str, Field(min_length=1, max_length=200, description="The model, by OpenAI's name.")] | None
    ) = None
    run_api: RunApiName | None = None
    previous_run_id: (
        Annotated[
            str, Field(max_length=80, description="A completed run whose conversation this run continues.")
        ]
        | None
    ) = None
    response_format: ResponseFormat | None = None
    instructions: Instructions | None = None
    temperature: Temperature | None = None
    max_output_tokens: MaxOutputTokens | None = None
    reasoning: Reasoning | None = None
    completion_window: CompletionWindow | None = None
    stream: Annotated[
        bool,
        Field(description="Show the message in the run's events as the model writes it."),
    ] = False
    callback_url: (
        Annotated[
            str,
            StringConstraints(max_length=MAX_URL_CHARACTERS, pattern=r"^https?://[!-~]+$"),
            Field(description="The URL that the final event is posted to, signed per Standard Webhooks."),
        ]
        | None
    ) = None
    tools: CallerTools = ()
    limits: LimitsRequest = LimitsRequest()
    metadata: Metadata = Field(default_factory=dict)

    @field_validator("prompt")
    @classmethod
    def _check_prompt_or_input(cls, prompt: str | None, info: ValidationInfo) -> str | None:
        if "input" in info.data and (prompt is None) == (info.data["input"] is None):
            raise ValueError("is required, or input" if prompt is None else "must not stand beside input")
        return prompt
