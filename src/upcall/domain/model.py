"""The base class of all models."""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """A frozen model that rejects unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> Self:
        """Read the model from a table item, which may hold attributes of other readers beside it."""
        return cls.model_validate({name: item[name] for name in cls.model_fields if name in item})
