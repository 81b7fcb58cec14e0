"""A function's parameters: as the model is told of them, and as the model's own text is read for them."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, NotRequired, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config
from pydantic_core import from_json, to_json
from typing_extensions import TypedDict

from upcall.errors import ToolError
from upcall.field_errors import field_errors
from upcall.tool.strict_schema import strict_schema

MAX_REASONS = 8
MAX_NAME_CHARACTERS = 80


class Arguments:
    """What a function takes. `schema` is its strict JSON schema.

    Raises TypeError for a function whose parameters a model cannot be told of.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.names = tuple(inspect.signature(function).parameters)
        self._adapter: TypeAdapter[dict[str, Any]] = TypeAdapter(_typed_dict(function))
        self.schema = strict_schema(self._adapter.json_schema())

    def parse(self, text: str) -> Mapping[str, Any]:
        """The arguments in the model's text, by name. Raises ToolError with reasons for the model.

        A null stands for a parameter's default wherever null is not a value of its own.
        """
        text = text.strip() or "{}"
        try:
            return self._adapter.validate_json(text)
        except ValidationError as error:
            findings = error
        try:
            return self._adapter.validate_json(_without_nulls(text, findings))
        except ValidationError as error:
            raise ToolError(self._words(error)) from None

    def _words(self, error: ValidationError) -> str:
        found = field_errors(error)
        reasons = [f"{each.field[:MAX_NAME_CHARACTERS]}: {each.reason}" for each in found[:MAX_REASONS]]
        if len(found) > MAX_REASONS:
            reasons.append(f"and {len(found) - MAX_REASONS} more")
        known = f"the parameters are {', '.join(self.names)}" if self.names else "there are no parameters"
        return f"the arguments cannot be taken: {'; '.join(reasons)} ({known})"


def _typed_dict(function: Callable[..., Any]) -> Any:
    """The parameters as a TypedDict: what the model left out stays out, for the function's own default."""
    hints = get_type_hints(function, include_extras=True)
    fields: dict[str, Any] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if name not in hints:
            raise TypeError(f"{function.__name__}: parameter {name} has no type")
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise TypeError(f"{function.__name__}: parameter {name} cannot be given by name")
        required = parameter.default is parameter.empty
        fields[name] = hints[name] if required else NotRequired[hints[name]]
    made = TypedDict(function.__name__, fields)  # type: ignore[misc]
    return with_config(ConfigDict(extra="forbid"))(made)


def _without_nulls(text: str, error: ValidationError) -> bytes | str:
    """The text without those nulls in objects that were found to be no values."""
    nulls = [
        finding["loc"]
        for finding in error.errors(include_url=False)
        if finding["loc"] and finding["input"] is None
    ]
    if not nulls:
        return text
    document = from_json(text)
    for loc in nulls:
        _drop(document, loc)
    return to_json(document)


def _drop(document: Any, loc: tuple[int | str, ...]) -> None:
    *way, name = loc
    for part in way:
        try:
            document = document[part]
        except (LookupError, TypeError):
            continue  # a member of a union, which stands in the location but not in the document
    if isinstance(document, dict):
        document.pop(name, None)
