"""The environment variables that `template.yaml` sets, by name and type. Nothing else reads the environment.

The template's Globals set those that most functions need; each function has the others that it needs. A
variable is read when it is used, and one that is missing is named in the error.
"""

import os
from functools import cache
from typing import cast

from pydantic import ValidationError

from upcall.domain.chat_message import WebhookFormat
from upcall.domain.errors import UpcallError
from upcall.domain.prices import OwnPrices, Price, PriceList
from upcall.domain.quota import Quota, QuotaSetting
from upcall.domain.upstream_run import RunApiName
from upcall.domain.validation import field_errors


class MissingVariable(UpcallError):
    """The function's environment in `template.yaml` lacks a variable that its code reads."""


class InvalidVariable(UpcallError):
    """A parameter of the stack has a value that cannot be used. No request can change that."""


def on_lambda() -> bool:
    """Whether this process is a function on Lambda, or in SAM local's container."""
    return "AWS_LAMBDA_RUNTIME_API" in os.environ


def on_sam_local() -> bool:
    """Whether this process is a function in SAM local's container."""
    return os.environ.get("AWS_SAM_LOCAL") == "true"


def metrics_namespace() -> str | None:
    """The namespace of metrics; None outside of any function."""
    return os.environ.get("POWERTOOLS_METRICS_NAMESPACE")


def table_name() -> str:
    """The table of runs."""
    return _read("TABLE_NAME")


def retention_days() -> int:
    """Days after which a run is deleted."""
    return int(_read("RETENTION_DAYS"))


def one_tenant() -> bool:
    """Whether every caller may see every run; otherwise each sees its own."""
    return _read("TENANCY") == "one"


def caller_claims() -> tuple[str, ...]:
    """The claims of a token that together identify a caller, besides its issuer."""
    return tuple(sorted(_read_list("CALLER_CLAIMS"))) or ("sub",)


def approver_claim() -> tuple[str, str] | None:
    """The claim, with one of its values, of a token whose caller may decide about tool calls."""
    name, _, value = os.environ.get("APPROVER_CLAIM", "").partition("=")
    return (name, value) if value else None


def four_eyes() -> bool:
    """Whether the person who started a run may not decide about its tool calls."""
    return _read("FOUR_EYES") == "yes"


def state_machine_arn() -> str:
    """The workflow that runs are started on."""
    return _read("STATE_MACHINE_ARN")


def batch_state_machine_arn() -> str:
    """The workflow that batches are started on."""
    return _read("BATCH_STATE_MACHINE_ARN")


def batch_bucket_name() -> str:
    """The bucket for inputs and results of batches."""
    return _read("BATCH_BUCKET_NAME")


def model() -> str:
    """The model of a run whose request and assistant name none."""
    return _read("MODEL")


def run_api() -> RunApiName:
    """The run API of a run whose request and assistant name none."""
    return cast("RunApiName", _read("RUN_API"))  # the template's parameter allows no other


def default_quota() -> Quota:
    """The quota of each caller for whom no other is set. The template's parameters have 0 for none."""
    return QuotaSetting.model_validate_json(_read("DEFAULT_QUOTA")).applied_to()


def waiting_requests_per_caller() -> int:
    """How many requests of a caller may wait for a change of a run at once."""
    return int(_read("WAITING_REQUESTS_PER_CALLER"))


def price_list() -> PriceList:
    """The prices of models, with the operator's own. Raises InvalidVariable if those are invalid."""
    return PriceList(_own_prices(os.environ.get("MODEL_PRICES", "")))


@cache
def _own_prices(text: str) -> dict[str, Price]:
    if not text.strip():
        return {}
    try:
        return OwnPrices.validate_json(text)
    except ValidationError as error:
        reasons = "; ".join(f"{each.field}: {each.reason}" for each in field_errors(error))
        raise InvalidVariable(f"the parameter ModelPrices is invalid: {reasons}") from None


def poll_window_seconds() -> float:
    """How long one invocation polls for a change; 0 polls once."""
    return float(_read("POLL_WINDOW_SECONDS"))


def openai_base_url() -> str:
    """The base URL of the OpenAI API, or of a compatible server."""
    return _read("OPENAI_BASE_URL")


def openai_organization() -> str | None:
    """The OpenAI organization that requests belong to; None for the key's own."""
    return os.environ.get("OPENAI_ORG_ID") or None


def openai_project() -> str | None:
    """The OpenAI project that requests belong to; None for the key's own."""
    return os.environ.get("OPENAI_PROJECT_ID") or None


def openai_secret_name() -> str:
    """The Secrets Manager secret that holds the API key."""
    return _read("OPENAI_SECRET_NAME")


def openai_webhook_secret_name() -> str | None:
    """The secret that OpenAI signs webhooks with; None if runs are polled."""
    return os.environ.get("OPENAI_WEBHOOK_SECRET_NAME") or None


def allowed_domains() -> frozenset[str]:
    """The domains that `fetch` may reach, with their subdomains; empty for all."""
    return frozenset(domain.lower().strip(".") for domain in _read_list("ALLOWED_DOMAINS"))


def bucket_name() -> str:
    """The stack's bucket."""
    return _read("BUCKET_NAME")


def bus_name() -> str:
    """The event bus that events of runs are published to."""
    return _read("BUS_NAME")


def request_queue_url() -> str:
    """The queue of messages that request runs."""
    return _read("REQUEST_QUEUE_URL")


def dead_letter_queue_url() -> str:
    """The queue of messages that no run could be started from."""
    return _read("DEAD_LETTER_QUEUE_URL")


def callback_queue_url() -> str:
    """The queue of events that are to be delivered to their runs' callbacks, or to approvers."""
    return _read("CALLBACK_QUEUE_URL")


def callback_dead_letter_queue_url() -> str:
    """The queue of callbacks that could not be delivered."""
    return _read("CALLBACK_DEAD_LETTER_QUEUE_URL")


def callback_secret_name() -> str:
    """The secret that callbacks are signed with; empty if callbacks are switched off."""
    return _read("CALLBACK_SECRET_NAME")


def otlp_endpoint() -> str:
    """The base URL of the OpenTelemetry endpoint that traces of runs are sent to; empty if there is none."""
    return _read("OTLP_ENDPOINT")


def otlp_headers_secret_name() -> str:
    """The secret with the headers of requests to that endpoint; empty if they need none."""
    return _read("OTLP_HEADERS_SECRET_NAME")


def trace_content() -> bool:
    """Whether traces have prompts, arguments, outputs and messages."""
    return _read("TRACE_CONTENT") == "yes"


def service_name() -> str:
    """What traces call the stack."""
    return _read("SERVICE_NAME")


def trace_queue_url() -> str:
    """The queue of runs whose traces are to be sent."""
    return _read("TRACE_QUEUE_URL")


def trace_dead_letter_queue_url() -> str:
    """The queue of runs whose traces could not be sent."""
    return _read("TRACE_DEAD_LETTER_QUEUE_URL")


def ended_execution_queue_url() -> str:
    """The queue of executions that ended outside of the workflow's own last states."""
    return _read("ENDED_EXECUTION_QUEUE_URL")


def ended_execution_dead_letter_queue_url() -> str:
    """The queue of messages about ended executions that could not be processed."""
    return _read("ENDED_EXECUTION_DEAD_LETTER_QUEUE_URL")


def webhook_url() -> str:
    """The URL that `notify` and requests for approvals are posted to; empty if there is none."""
    return _read("WEBHOOK_URL")


def webhook_format() -> WebhookFormat:
    """The form of messages to the operator's webhook."""
    return cast("WebhookFormat", _read("WEBHOOK_FORMAT"))  # the template's parameter allows no other


def approval_url() -> str:
    """The address where a call is decided, with `{run_id}` and `{call}` in their places; may be empty."""
    return _read("APPROVAL_URL")


def webhook_secret_name() -> str:
    """The Secrets Manager secret that messages to the webhook are signed with."""
    return _read("WEBHOOK_SECRET_NAME")


def environment_of_workers() -> dict[str, str]:
    """What a Python process needs of the environment to start, and nothing else: no credentials."""
    names = ("LD_LIBRARY_PATH", "PATH", "LANG", "TMPDIR")
    return {name: os.environ[name] for name in names if name in os.environ}


def _read_list(name: str) -> frozenset[str]:
    """The parts of a comma-separated variable. An unset one is empty."""
    return frozenset(filter(None, (part.strip() for part in os.environ.get(name, "").split(","))))


def _read(name: str) -> str:
    try:
        return os.environ[name]
    except KeyError:
        raise MissingVariable(f"the environment variable {name} is not set") from None
