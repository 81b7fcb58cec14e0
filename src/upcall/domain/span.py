"""A span of a trace, and the document that OTLP sends spans in, in its JSON encoding.

https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding: ids are hexadecimal, 64-bit integers are
texts, enumerations are numbers.
"""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from upcall.domain.model import Model
from upcall.domain.trace_context import SAMPLED

SCHEMA_URL: Final = "https://opentelemetry.io/schemas/1.41.0"
"""The version of the semantic conventions that the attributes follow."""

AttributeValue = str | bool | int | float
Attributes = Mapping[str, AttributeValue]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_KINDS: Final = {"internal": 1, "client": 3}
_ERROR: Final = 2
_KNOWS_PARENT, _PARENT_IS_REMOTE = 0x100, 0x200


class Span(Model):
    """Something that took time. `parent_id` is that of its parent, which may be a `remote` one.

    With `error_type` it has failed; `error_message` may say more.
    """

    span_id: str
    parent_id: str | None
    remote: bool = False
    name: str
    kind: Literal["internal", "client"] = "internal"
    start: datetime
    end: datetime
    attributes: Attributes
    error_type: str | None = None
    error_message: str = ""


def make_trace_id(seed: str) -> str:
    """The id of the trace of what the seed names: the same one each time."""
    return hashlib.sha256(seed.encode()).hexdigest()[:32]


def make_span_id(seed: str, name: str) -> str:
    """The id of a span of what the seed names: the same one each time."""
    return hashlib.sha256(f"{seed} {name}".encode()).hexdigest()[:16]


def export_request(spans: Iterable[Span], trace_id: str, flags: int, resource: Attributes) -> dict[str, Any]:
    """The body of a request that sends the spans of a trace."""
    encoded = [_encode_span(span, trace_id, flags | SAMPLED) for span in spans]
    scope = {"scope": {"name": "upcall"}, "spans": encoded, "schemaUrl": SCHEMA_URL}
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": _encode_attributes(resource)},
                "scopeSpans": [scope],
                "schemaUrl": SCHEMA_URL,
            }
        ]
    }


def _encode_span(span: Span, trace_id: str, flags: int) -> dict[str, Any]:
    parent = {"parentSpanId": span.parent_id} if span.parent_id else {}
    error = {"error.type": span.error_type} if span.error_type else {}
    status = {"code": _ERROR} | ({"message": span.error_message} if span.error_message else {})
    return {
        "traceId": trace_id,
        "spanId": span.span_id,
        **parent,
        "flags": flags | _KNOWS_PARENT | (_PARENT_IS_REMOTE if span.remote else 0),
        "name": span.name,
        "kind": _KINDS[span.kind],
        "startTimeUnixNano": _nanoseconds(span.start),
        "endTimeUnixNano": _nanoseconds(max(span.start, span.end)),
        "attributes": _encode_attributes({**span.attributes, **error}),
        "status": status if span.error_type else {},
    }


def _encode_attributes(attributes: Attributes) -> list[dict[str, Any]]:
    return [{"key": key, "value": _encode_value(value)} for key, value in attributes.items()]


def _encode_value(value: AttributeValue) -> dict[str, Any]:
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
    return {"stringValue": value}


def _nanoseconds(time: datetime) -> str:
    return str((time - _EPOCH) // timedelta(microseconds=1) * 1000)
