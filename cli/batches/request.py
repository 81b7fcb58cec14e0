"""The request for a batch from the options of the command."""

from collections.abc import Mapping
from typing import Any, cast, get_args

from pydantic import ValidationError

from cli.errors import CommandError
from upcall.client import BatchRequest
from upcall.domain.batch import InputFormat
from upcall.domain.errors import InvalidInput
from upcall.domain.validation import field_errors


def build_batch_request(options: Mapping[str, Any], **source: Any) -> BatchRequest:
    """The request with these options and this source of inputs. What is None is left out.

    Raises InvalidInput, without the inputs in its message.
    """
    given = {name: value for name, value in {**options, **source}.items() if value is not None}
    given["defaults"] = {name: value for name, value in options["defaults"].items() if value is not None}
    try:
        return BatchRequest.model_validate(given)
    except ValidationError as error:
        raise InvalidInput(*field_errors(error)) from error


def parse_format(text: str | None) -> InputFormat | None:
    """The format of that name. Raises CommandError."""
    if text is not None and text not in get_args(InputFormat):
        raise CommandError(f"there is no format {text!r}; there is {' and '.join(get_args(InputFormat))}")
    return cast("InputFormat | None", text)
