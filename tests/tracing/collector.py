"""A collector of OpenTelemetry on loopback, as a process of its own, and what it passes on."""

import gzip
import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from support.canned_server import CannedServer, canned_server
from support.waiting import wait_until
from werkzeug.wrappers import Response

from local.config import ROOT

ENVIRONMENT = ROOT / ".venv-traces"


@dataclass(frozen=True)
class Collector:
    """A running collector. It takes OTLP as JSON, and passes on what it has understood as protobuf."""

    url: str
    _backend: CannedServer

    def spans(self, run_id: str) -> list[dict[str, Any]]:
        """The spans of a run in the form of OTLP's JSON encoding, once the collector has passed them on."""

        def find() -> list[dict[str, Any]] | None:
            found = [span for span in self._all_spans() if span["trace_of"] == run_id]
            return found or None

        return wait_until(find, f"the trace of {run_id}")

    def _all_spans(self) -> Iterator[dict[str, Any]]:
        for request in self._backend.requests:
            message = ExportTraceServiceRequest.FromString(gzip.decompress(request.body))
            for resource in message.resource_spans:
                service = {each.key: _value(each.value) for each in resource.resource.attributes}
                for scope in resource.scope_spans:
                    spans = [_describe(span) for span in scope.spans]
                    for span in spans:
                        run_ids = {
                            s["attributes"].get("upcall.run.id")
                            for s in spans
                            if s["traceId"] == span["traceId"]
                        }
                        (run_id,) = run_ids - {None}
                        yield {**span, "trace_of": run_id, "resource": service, "scope": scope.scope.name}


@contextmanager
def run_collector(log: Path) -> Iterator[Collector]:
    """Run a collector until the context ends. It passes on spans to a server on loopback."""
    (agent,) = ENVIRONMENT.glob("lib/python*/site-packages/rotel/rotel-agent")
    port = _free_port()
    with (
        canned_server(Response(b"", content_type="application/x-protobuf")) as backend,
        log.open("wb") as file,
    ):
        options = {
            "otlp-grpc-endpoint": f"127.0.0.1:{_free_port()}",
            "otlp-http-endpoint": f"127.0.0.1:{port}",
            "exporter": "otlp",
            "otlp-exporter-endpoint": backend.url,
            "otlp-exporter-protocol": "http",
            "otlp-exporter-compression": "gzip",
            "debug-log": "traces",
        }
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        process = subprocess.Popen(
            [agent, "start", *arguments], env={"PATH": os.environ["PATH"]}, stdout=file, stderr=file
        )
        try:
            wait_until(lambda: process.poll() is not None or _listens(port), "the collector")
            assert process.poll() is None, log.read_text("utf-8")
            yield Collector(f"http://127.0.0.1:{port}", backend)
        finally:
            process.terminate()
            process.wait(30)


def _describe(span: Any) -> dict[str, Any]:
    return {
        "traceId": span.trace_id.hex(),
        "spanId": span.span_id.hex(),
        "parentSpanId": span.parent_span_id.hex() or None,
        "name": span.name,
        "kind": span.kind,
        "flags": span.flags,
        "startTimeUnixNano": span.start_time_unix_nano,
        "endTimeUnixNano": span.end_time_unix_nano,
        "attributes": {each.key: _value(each.value) for each in span.attributes},
        "status": (span.status.code, span.status.message),
    }


def _value(value: Any) -> Any:
    return getattr(value, value.WhichOneof("value"))


def _listens(port: int) -> bool:
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


def _free_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port: int = unused.getsockname()[1]
        return port
