"""The one owner of the environment: what `template.yaml` gives a function, by name and type.

Each function gets only the variables that it needs, so each setting is read when it is asked for,
and one that is missing says so by its name.
"""

import os
from typing import cast

from upcall.errors import UpcallError
from upcall.models import RunApiName


class MissingSetting(UpcallError):
    """The function's environment in `template.yaml` lacks a variable that its code reads."""


def on_lambda() -> bool:
    """Whether this process is a function on Lambda, or in a container that stands for it."""
    return "AWS_LAMBDA_RUNTIME_API" in os.environ


def metrics_namespace() -> str | None:
    """Where metrics belong; none where a tool or a store is used outside of any function."""
    return os.environ.get("POWERTOOLS_METRICS_NAMESPACE")


def table_name() -> str:
    """The table of runs."""
    return _read("TABLE_NAME")


def retention_days() -> int:
    """Days after which a run leaves the table."""
    return int(_read("RETENTION_DAYS"))


def one_tenant() -> bool:
    """Whether every caller may see every run; else each sees its own."""
    return _read("TENANCY") == "one"


def state_machine_arn() -> str:
    """The workflow that runs are started on."""
    return _read("STATE_MACHINE_ARN")


def model() -> str:
    """The model of a run whose request and assistant name none."""
    return _read("MODEL")


def run_api() -> RunApiName:
    """The run API of a run whose request and assistant name none."""
    return cast("RunApiName", _read("RUN_API"))  # the template's parameter allows no other


def poll_window_seconds() -> float:
    """How long one poll watches for a change; 0 polls once."""
    return float(_read("POLL_WINDOW_SECONDS"))


def openai_base_url() -> str:
    """Where the OpenAI API, or a server that speaks it, answers."""
    return _read("OPENAI_BASE_URL")


def openai_secret_name() -> str:
    """The Secrets Manager secret that holds the API key."""
    return _read("OPENAI_SECRET_NAME")


def local_hosts() -> frozenset[str]:
    """`host:port` pairs that may be reached although their addresses are not public; none if unset.

    A port may be `*`.
    """
    return _listed("FETCH_LOCAL_HOSTS") | _listed("CALLBACK_LOCAL_HOSTS")


def allowed_domains() -> frozenset[str]:
    """The domains that `fetch` may reach, with all below them; all there are if unset or empty."""
    return frozenset(domain.lower().strip(".") for domain in _listed("ALLOWED_DOMAINS"))


def bucket_name() -> str:
    """The stack's own bucket."""
    return _read("BUCKET_NAME")


def dead_letter_queue_url() -> str:
    """The queue of messages that no run could be started from."""
    return _read("DEAD_LETTER_QUEUE_URL")


def callback_queue_url() -> str:
    """The queue of announcements that are to be posted to their runs' callbacks."""
    return _read("CALLBACK_QUEUE_URL")


def callback_secret_name() -> str:
    """The secret that callbacks are signed with; empty where the operator offers no callbacks."""
    return _read("CALLBACK_SECRET_NAME")


def ended_execution_queue_url() -> str:
    """The queue of executions that have ended otherwise than by the workflow's own last states."""
    return _read("ENDED_EXECUTION_QUEUE_URL")


def bus_name() -> str:
    """The bus that says how runs ended."""
    return _read("BUS_NAME")


def callback_dead_letter_queue_url() -> str:
    """The queue of callbacks that did not arrive."""
    return _read("CALLBACK_DEAD_LETTER_QUEUE_URL")


def ended_execution_dead_letter_queue_url() -> str:
    """The queue of ends of executions that nobody can read."""
    return _read("ENDED_EXECUTION_DEAD_LETTER_QUEUE_URL")


def webhook_url() -> str:
    """Where `notify` posts to; empty where the operator has named no place."""
    return _read("WEBHOOK_URL")


def webhook_secret_name() -> str:
    """The Secrets Manager secret that messages to the webhook are signed with."""
    return _read("WEBHOOK_SECRET_NAME")


def _listed(name: str) -> frozenset[str]:
    """The parts of a comma-separated variable. An unset one has none: a tool is callable by itself."""
    return frozenset(filter(None, (part.strip() for part in os.environ.get(name, "").split(","))))


def _read(name: str) -> str:
    try:
        return os.environ[name]
    except KeyError:
        raise MissingSetting(f"the environment variable {name} is not set") from None
