"""Patches that keep what moto would compute again for each request. They fit moto 5.2.5.

Each has a test in `tests/integration/local/test_moto_patches_caches.py`, which fails if a new version of moto
moves what is patched. Together they save a quarter of the processor time of a run.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from types import SimpleNamespace
from typing import Any

import jsonpath_ng.ext as jsonpath
from antlr4.RuleContext import RuleContext  # type: ignore[import-untyped]
from moto.core import responses
from moto.core.serialize import AttributePicker, AttributePickerContext, ResponseSerializer
from moto.core.utils import method_names_from_class
from moto.stepfunctions.parser.asl.parse import preprocessor

_node_texts: ContextVar[dict[RuleContext, str] | None] = ContextVar("node_texts", default=None)


def cache_action_names() -> None:
    """List the actions of a service once. moto inspects its class for each request."""
    vars(responses)["method_names_from_class"] = _action_names


def cache_member_names() -> None:
    """Find out once which keys of a dictionary may stand for a member of a response. moto tries twelve."""

    def get_value(self: ResponseSerializer, value: Any, key: str, shape: Any) -> Any:
        picker = self._value_picker
        if type(value) is not dict or not isinstance(picker, AttributePicker) or picker.response_transformers:
            return _get_value(self, value, key, shape)
        keys = vars(shape).setdefault("dictionary_keys", {})
        if key not in keys:
            keys[key] = tuple(picker.get_possible_keys(AttributePickerContext({}, key, shape)))
        return next((value[each] for each in keys[key] if each in value), None)

    ResponseSerializer.get_value = get_value  # type: ignore[method-assign]


def cache_node_texts() -> None:
    """Let the nodes of a syntax tree take their texts from `cached_texts`."""

    def get_text(self: RuleContext) -> str:
        texts = _node_texts.get()
        if texts is None:
            return str(_get_text(self))
        if self not in texts:
            texts[self] = str(_get_text(self))
        return texts[self]

    RuleContext.getText = get_text


def cache_paths_of_events() -> None:
    """Parse each path of a rule's template once. moto makes a new parser for each event."""
    vars(jsonpath)["parse"] = _parse_path


def cache_string_literals() -> None:
    """Read each text of a definition once. Python's parser reads it for moto, at each execution."""

    def read(parser_rule_context: RuleContext) -> str | None:
        return _literal(str(parser_rule_context.getText()))

    vars(preprocessor)["from_string_literal"] = read


@cache
def _literal(text: str) -> str | None:
    literal: str | None = _from_string_literal(SimpleNamespace(getText=lambda: text))
    return literal


@contextmanager
def cached_texts(texts: dict[RuleContext, str]) -> Iterator[None]:
    """Keep the texts of the nodes that are read inside in `texts`. moto puts each together many times."""
    token = _node_texts.set(texts)
    try:
        yield
    finally:
        _node_texts.reset(token)


_action_names = cache(method_names_from_class)
_parse_path = cache(jsonpath.parse)  # type: ignore[attr-defined]
_get_value = ResponseSerializer.get_value
_get_text = RuleContext.getText
_from_string_literal: Any = preprocessor.from_string_literal  # type: ignore[attr-defined]
