"""What a laptop cloud is set up with, and where it answers. Light to import."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
STACK_NAME = "upcall"
STATE_FOLDER = Path(os.environ.get("UPCALL_STATE_FOLDER") or ROOT / ".upcall")
"""The table's file, the functions' log, the addresses of a running cloud. Not under version control."""

AWS_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "laptop",
    "AWS_SECRET_ACCESS_KEY": "laptop",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_REGION": "us-east-1",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}
"""All that code on the laptop cloud knows of AWS: nothing that leads to an account of the user's."""

CALLBACK_SECRET_NAME = "upcall/callback-secret"  # noqa: S105  # a name
CALLBACK_SECRET = "whsec_YSBsYXB0b3AgaGFzIG5vIHNlY3JldHMgb2Ygbm90ZS4="  # noqa: S105  # known to all, for it guards nothing
"""Callbacks of a laptop cloud are signed with it."""


@dataclass(frozen=True)
class Profile:
    """What a laptop cloud is set up with.

    `openai_base_url` names a server to drive runs on, with `openai_api_key`; without it the emulator
    does. Ports of 0 are any free ones. `also_on` are addresses besides loopback to
    answer at. The emulator's ids count from `first_turn` on; `faulty_share` of its answers, from 0 to 1, are
    wrong by chance, and `seed` decides which. `parameters` go over the template's defaults.
    """

    state_folder: Path = STATE_FOLDER
    openai_base_url: str | None = None
    openai_api_key: str = "none"
    api_port: int = 0
    aws_port: int = 0
    pages_port: int = 0
    openai_port: int = 0
    also_on: tuple[str, ...] = ()
    first_turn: int | None = None
    thinking_seconds: float = 0.4
    poll_after_ms: int | None = None
    faulty_share: float = 0
    seed: int = 0
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Endpoints:
    """Where a laptop cloud answers, and what its table, workflow, bus, bucket and queues are called.

    `emulated` says that `openai` is the emulator.
    """

    api: str
    aws: str
    pages: str
    openai: str
    emulated: bool
    table: str
    state_machine: str
    bus: str
    inbox: str
    request_queue: str
    dead_letter_queue: str


@contextmanager
def aws_environment(aws: Mapping[str, str]) -> Iterator[None]:
    """Hide the user's AWS variables from this process for a while, and put `aws` in their place.

    Loopback is not asked for through a proxy meanwhile, whatever proxies the user has.
    """
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(aws)
    for name in ("NO_PROXY", "no_proxy"):
        os.environ[name] = ",".join(filter(None, [before.get(name), "127.0.0.1", "localhost"]))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
