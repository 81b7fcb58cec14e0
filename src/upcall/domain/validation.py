"""Pydantic's errors as fields and reasons."""

from pydantic import ValidationError

from upcall.domain.errors import FieldError

WHOLE_BODY = "body"
"""The field's name where the error concerns the request as a whole."""


def field_errors(error: ValidationError) -> tuple[FieldError, ...]:
    """One FieldError for each error. The values that were sent are left out."""
    return tuple(
        FieldError(
            field=".".join(str(part) for part in finding["loc"]) or WHOLE_BODY,
            reason=finding["msg"].removeprefix("Value error, "),
        )
        for finding in error.errors(include_url=False, include_input=False)
    )
