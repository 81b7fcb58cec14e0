"""How a local stack is configured, and its endpoints. Imports nothing but the standard library."""

import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local.openai_emulator.webhook_delivery import WebhookFaults

ROOT = Path(__file__).parents[1]
STACK_NAME = "upcall"
STATE_FOLDER = Path(os.environ.get("UPCALL_STATE_FOLDER") or ROOT / ".upcall")
"""Holds the table file, the logs, and the endpoints of a running local stack. Not under version control."""

FUNCTION_LOG = "functions.log"
"""Of a local stack, in its state folder: what its functions log, and their metrics."""

MESSAGE_FILE = "messages.jsonl"
"""Of a local stack, in its state folder: what `notify` sends, and requests for approvals."""

AWS_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_REGION": "us-east-1",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}
"""The AWS variables of all code on the local stack. None of them leads to an account of the user."""

CALLBACK_SECRET_NAME = "upcall/callback-secret"  # noqa: S105  # a name
CALLBACK_SECRET = "whsec_dGhlIGxvY2FsIHN0YWNrIGhvbGRzIG5vIHNlY3JldHM="  # noqa: S105  # public, protects nothing
"""The local stack signs callbacks with it."""


def machine_architecture() -> str:
    """The architecture of this machine, as the template's parameter Architecture names it."""
    return "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"


@dataclass(frozen=True)
class LocalStackConfig:
    """The configuration of a local stack.

    `openai_base_url` is the server of the run APIs, and `openai_api_key` its key; without it, the emulator is
    used. A port of 0 is any free port. `extra_addresses` are addresses besides loopback to listen on.

    For the emulator: `model_seconds` is the time that the model takes for a turn, `poll_after_ms` a header
    (see Emulator), `first_turn` the number of the first turn, from which ids are made. `fault_rate` is the
    share of requests that fail, from 0 to 1; `seed` decides which. `webhook_faults` are those of its
    webhooks, which it sends if `parameters` name a secret for them. `requests_per_minute` and
    `tokens_per_minute` are the rate limits of each model.

    With `takes_messages`, what is sent to the operator's webhook goes to MESSAGE_FILE in the state folder.
    `parameters` override the defaults of the template.
    """

    state_folder: Path = STATE_FOLDER
    openai_base_url: str | None = None
    openai_api_key: str = "none"
    api_port: int = 0
    aws_port: int = 0
    pages_port: int = 0
    openai_port: int = 0
    extra_addresses: tuple[str, ...] = ()
    first_turn: int | None = None
    model_seconds: float = 0.2
    poll_after_ms: int | None = None
    fault_rate: float = 0
    seed: int = 0
    webhook_faults: "WebhookFaults | None" = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    takes_messages: bool = False
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Endpoints:
    """The URLs of a local stack, and the names of its resources.

    `emulated` is true if `openai` is the emulator.
    """

    api: str
    aws: str
    pages: str
    openai: str
    emulated: bool
    table: str
    state_machine: str
    batch_state_machine: str
    bus: str
    inbox: str
    batch_bucket: str
    request_queue: str
    dead_letter_queue: str


@contextmanager
def aws_environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Replace all AWS variables of this process by these, until the context ends.

    Requests to loopback bypass the user's proxies meanwhile.
    """
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(variables)
    for name in ("NO_PROXY", "no_proxy"):
        os.environ[name] = ",".join(filter(None, [before.get(name), "127.0.0.1", "localhost"]))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
