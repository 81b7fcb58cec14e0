"""Assistants: one TOML file each, in `src/assistants/`."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field

from upcall.errors import NotFound
from upcall.models import MAX_CALLS_PER_ROUND, Model, RunApiName

FOLDER = Path(__file__).parents[1] / "assistants"


Rounds = Annotated[int, Field(ge=0, le=50, description="How often the model may ask for tools.")]
CallsPerRound = Annotated[
    int, Field(ge=1, le=MAX_CALLS_PER_ROUND, description="How many tools it may ask for at once.")
]
Seconds = Annotated[int, Field(ge=1, le=14_400, description="How long a run may take.")]
Tokens = Annotated[
    int,
    Field(ge=1, le=20_000_000, description="Tokens, read and written, after which no tool is called."),
]


class Limits(Model):
    """Where a run is stopped, whatever the model wants."""

    rounds: Rounds = 10
    calls_per_round: CallsPerRound = 50
    seconds: Seconds = 900
    tokens: Tokens = 1_000_000


class LimitsRequest(Model):
    """The limits of one run, where they are not to be the assistant's; the same maxima hold."""

    rounds: Rounds | None = None
    calls_per_round: CallsPerRound | None = None
    seconds: Seconds | None = None
    tokens: Tokens | None = None


class Assistant(Model):
    """What a run is driven with: instructions, tools, limits, and a model and a run API if it insists."""

    name: str
    description: str
    instructions: str
    tools: tuple[str, ...] = ()
    model: str | None = None
    run_api: RunApiName | None = None
    limits: Limits = Limits()


def assistant(name: str) -> Assistant:
    """The assistant of that name. Raises NotFound, naming those that exist."""
    try:
        return assistants()[name]
    except KeyError:
        known = ", ".join(sorted(assistants()))
        raise NotFound(f"there is no assistant {name!r}; there is {known}") from None


@cache
def assistants() -> dict[str, Assistant]:
    """All assistants by name; the name is the file's."""
    return {path.stem: _read(path) for path in sorted(FOLDER.glob("*.toml"))}


def _read(path: Path) -> Assistant:
    return Assistant.model_validate({"name": path.stem, **tomllib.loads(path.read_text("utf-8"))})
