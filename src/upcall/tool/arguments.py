"""A tool's parameters: their schema for the model, and the arguments that the model sends."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, NotRequired, get_type_hints

from pydantic import ConfigDict, PydanticUserError, TypeAdapter, ValidationError, with_config
from pydantic_core import from_json, to_json
from typing_extensions import TypedDict

from upcall.domain.errors import ToolError
from upcall.domain.validation import field_errors
from upcall.tool.function_schema import strict_schema

MAX_REASONS = 8
MAX_NAME_CHARACTERS = 80


class Arguments:
    """The parameters of a function, with their strict JSON schema and the defaults that some have.

    Raises TypeError for parameters that cannot be described to a model.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        parameters = inspect.signature(function).parameters
        self.names = tuple(parameters)
        self.defaults = {
            name: each.default for name, each in parameters.items() if each.default is not each.empty
        }
        try:
            self._adapter: TypeAdapter[dict[str, Any]] = TypeAdapter(_typed_dict(function))
            self.schema = strict_schema(self._adapter.json_schema())
        except (NameError, PydanticUserError, TypeError) as error:
            (reason, *_) = str(error).splitlines()
            raise TypeError(f"{function.__name__}: {reason}") from error

    def parse(self, text: str) -> Mapping[str, Any]:
        """The arguments in the model's text, by name. Raises ToolError with reasons for the model.

        A null stands for a parameter's default, unless null is a valid value.
        """
        text = text.strip() or "{}"
        try:
            return self._adapter.validate_json(text)
        except ValidationError as error:
            first_error = error
        try:
            return self._adapter.validate_json(_remove_invalid_nulls(text, first_error))
        except ValidationError as error:
            raise ToolError(self._message(error)) from None

    def _message(self, error: ValidationError) -> str:
        errors = field_errors(error)
        reasons = [f"{each.field[:MAX_NAME_CHARACTERS]}: {each.reason}" for each in errors[:MAX_REASONS]]
        if len(errors) > MAX_REASONS:
            reasons.append(f"and {len(errors) - MAX_REASONS} more")
        valid = f"the parameters are {', '.join(self.names)}" if self.names else "there are no parameters"
        return f"invalid arguments: {'; '.join(reasons)} ({valid})"


def _typed_dict(function: Callable[..., Any]) -> Any:
    """The parameters as a TypedDict: an argument that the model leaves out gets the function's default."""
    hints = get_type_hints(function, include_extras=True)
    fields: dict[str, Any] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if name not in hints:
            raise TypeError(f"parameter {name} has no type")
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise TypeError(f"parameter {name} cannot be passed by name")
        required = parameter.default is parameter.empty
        fields[name] = hints[name] if required else NotRequired[hints[name]]
    typed_dict = TypedDict(function.__name__, fields)  # type: ignore[misc]
    return with_config(ConfigDict(extra="forbid"))(typed_dict)


def _remove_invalid_nulls(text: str, error: ValidationError) -> bytes | str:
    """The text without the nulls that the error names."""
    null_locations = [
        each["loc"] for each in error.errors(include_url=False) if each["loc"] and each["input"] is None
    ]
    if not null_locations:
        return text
    document = from_json(text)
    for location in null_locations:
        _remove(document, location)
    return to_json(document)


def _remove(document: Any, location: tuple[int | str, ...]) -> None:
    *parents, name = location
    for part in parents:
        try:
            document = document[part]
        except (LookupError, TypeError):
            continue  # a member of a union: part of the location, but not of the document
    if isinstance(document, dict):
        document.pop(name, None)
