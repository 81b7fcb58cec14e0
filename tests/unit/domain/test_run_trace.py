"""What traces are checked against: the published registry of attributes, and the messages of OTLP."""

import base64
import importlib
import inspect
import pkgutil
import re
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from opentelemetry.semconv import attributes, schemas
from opentelemetry.semconv._incubating import attributes as incubating
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes
from support.fakes.run_repository import InMemoryRunRepository
from support.run_records import FAILURE, UPSTREAM_RUN, USAGE, new_run
from support.traces import LOG, FakeSpanSender, at, attributes_of, complete_run_with_calls, spans_of

from local.config import ROOT
from upcall.domain.span import SCHEMA_URL
from upcall.use_cases.export_trace import export_trace

OURS = "upcall."


def exported(with_content: bool = True) -> list[dict[str, Any]]:
    """The requests with the traces of a run with everything, and of a run that has failed."""
    repository, sender = InMemoryRunRepository(), FakeSpanSender()
    everything = {
        "instructions": "Be brief.",
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "n", "schema": {"type": "object"}},
        },
        "temperature": 0.5,
        "max_output_tokens": 1000,
        "metadata": {"ticket": "4711"},
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "batch_id": "batch_1",
        "batch_line": 3,
        "prompt": "p" * 10_000,
    }
    first = complete_run_with_calls(repository, **everything)
    second = repository.add_run(new_run(previous=first))
    repository.record_creation(second, UPSTREAM_RUN, "polled")
    repository.record_failure(second, FAILURE, USAGE, at(5), "Once upon")
    repository.replace_log(first, LOG)
    for run in (first, second):
        export_trace(
            run.run_id,
            service_name="upcall",
            with_content=with_content,
            repository=repository,
            send_spans=sender,
        )
    return [dict(request) for request in sender.requests]


def sent_attributes() -> set[str]:
    requests = exported()
    resources = [each["resource"] for request in requests for each in request["resourceSpans"]]
    spans = [span for request in requests for span in spans_of(request)]
    return {name for each in resources for name in attributes_of(each)} | {
        name for span in spans for name in span["attributes"]
    }


def registry() -> set[str]:
    """The names of all attributes in the published package, those included that are not stable yet."""
    modules = [
        importlib.import_module(f"{package.__name__}.{module.name}")
        for package in (attributes, incubating)
        for module in pkgutil.iter_modules(package.__path__)
    ]
    return {value for module in modules for name, value in vars(module).items() if name.isupper()}


def test_every_attribute_is_in_the_registry_or_marked_as_ours() -> None:
    names = {name for name in sent_attributes() if not name.startswith(OURS)}

    assert len(names) == 22
    assert names <= registry()


def test_the_version_of_the_conventions_is_one_of_the_package() -> None:
    assert SCHEMA_URL in {schema.value for schema in schemas.Schemas}
    minor = SCHEMA_URL.rpartition("/")[2].rpartition(".")[0]
    assert f"version {minor}," in (ROOT / "docs" / "tracing.md").read_text("utf-8")


def test_no_attribute_was_replaced_or_removed() -> None:
    """Those of generative AI are called deprecated because they have moved to a repository of their own."""
    source = inspect.getsource(gen_ai_attributes)
    notes = dict(re.findall(r'"(gen_ai\.[\w.]+)"\n\)?\n?"""\nDeprecated: (\w+)', source))

    assert {notes.get(name, "Moved") for name in sent_attributes()} == {"Moved"}
    assert {"Moved", "Replaced", "Removed"} == set(notes.values())


@pytest.mark.parametrize(
    ("attribute", "values"),
    [
        ("gen_ai.operation.name", gen_ai_attributes.GenAiOperationNameValues),
        ("gen_ai.provider.name", gen_ai_attributes.GenAiProviderNameValues),
        ("gen_ai.output.type", gen_ai_attributes.GenAiOutputTypeValues),
    ],
)
def test_values_are_those_of_the_registry(attribute: str, values: Any) -> None:
    spans = [span for request in exported() for span in spans_of(request)]
    sent = {span["attributes"][attribute] for span in spans if attribute in span["attributes"]}

    assert sent
    assert sent <= {value.value for value in values}


def test_every_attribute_is_described() -> None:
    """The page shortens names that begin as the one before: `upcall.run.id`, `.status`."""
    page = (ROOT / "docs" / "tracing.md").read_text("utf-8")
    missing = {
        name
        for name in sent_attributes()
        if f"`{name}`" not in page
        and not any(f"`{name[len(prefix) :]}`" in page for prefix in ("upcall.run", "gen_ai.usage"))
    }

    assert missing <= {"upcall.metadata.ticket", "gen_ai.operation.name", "gen_ai.agent.name"}


@pytest.mark.parametrize("with_content", [True, False])
def test_a_request_is_the_message_that_otlp_defines(with_content: bool) -> None:
    """Protobuf's own JSON has bytes in base64, OTLP's has ids in hexadecimal digits."""
    for request in exported(with_content):
        for span in request["resourceSpans"][0]["scopeSpans"][0]["spans"]:
            for name in {"traceId", "spanId", "parentSpanId"} & span.keys():
                span[name] = base64.b64encode(bytes.fromhex(span[name])).decode()
        message = ParseDict(request, ExportTraceServiceRequest())

        (resource,) = message.resource_spans
        (scope,) = resource.scope_spans
        assert {len(span.trace_id) for span in scope.spans} == {16}
        assert {len(span.span_id) for span in scope.spans} == {8}
        assert {span.kind for span in scope.spans} == {Span.SPAN_KIND_INTERNAL, Span.SPAN_KIND_CLIENT}
        assert {span.status.code for span in scope.spans} <= {
            Status.STATUS_CODE_UNSET,
            Status.STATUS_CODE_ERROR,
        }
        assert all(span.end_time_unix_nano >= span.start_time_unix_nano > 10**18 for span in scope.spans)
