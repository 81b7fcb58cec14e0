"""Pydantic's findings as fields and reasons, in words for the one who sent the data."""

from pydantic import ValidationError

from upcall.errors import FieldError

WHOLE = "body"
"""The field's name where the fault is of the whole, not of a part."""


def field_errors(error: ValidationError) -> tuple[FieldError, ...]:
    """One FieldError for each finding; the values that were sent are left out."""
    return tuple(
        FieldError(
            field=".".join(str(part) for part in finding["loc"]) or WHOLE,
            reason=finding["msg"].removeprefix("Value error, "),
        )
        for finding in error.errors(include_url=False, include_input=False)
    )
