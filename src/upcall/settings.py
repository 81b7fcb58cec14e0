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


def table_name() -> str:
    """The table of runs."""
    return _read("TABLE_NAME")


def retention_days() -> int:
    """Days after which a run leaves the table."""
    return int(_read("RETENTION_DAYS"))


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


def fetch_local_hosts() -> frozenset[str]:
    """`host:port` pairs that `fetch` may reach although their addresses are not public."""
    return frozenset(filter(None, _read("FETCH_LOCAL_HOSTS").split(",")))


def _read(name: str) -> str:
    try:
        return os.environ[name]
    except KeyError:
        raise MissingSetting(f"the environment variable {name} is not set") from None
