"""A function whose parameters have types of every kind, for tests of its schema and its arguments."""

from enum import Enum
from typing import Annotated

from pydantic import BaseModel, Field


class Unit(Enum):
    """An enum."""

    CELSIUS = "celsius"
    KELVIN = "kelvin"


class Place(BaseModel):
    """A model with a required and two optional fields."""

    name: str
    country: str = "Norway"
    height: float | None = None


def forecast(
    place: Place,
    days: Annotated[int, Field(ge=1, le=14)] = 3,
    unit: Unit = Unit.CELSIUS,
    tags: list[str] | None = None,
    schema: str | None = "wmo",
) -> None:
    """Forecast the weather."""
