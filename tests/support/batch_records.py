"""Records of batches, and values for them, for tests that need some."""

import json
from collections.abc import Iterable
from typing import Any

from support.fakes.clock import START
from upcall.domain.batch import Batch, LineEnd, LineSource
from upcall.domain.failure import Failure
from upcall.domain.usage import Usage

BATCH_ID = "batch_1"
COMPLETED = LineEnd(
    run_id="run_1", status="completed", usage=Usage(input_tokens=1, output_tokens=2, total_tokens=3, usd=0.25)
)
FAILED = LineEnd(
    run_id="run_2",
    status="expired",
    failure=Failure(status="expired", code="seconds", message="It took too long."),
    usage=Usage(total_tokens=5, usd=0.5),
)
CANCELLED_LINE = LineEnd(status="cancelled")


def new_batch(**fields: Any) -> Batch:
    """A batch whose lines are to be counted, with some fields changed."""
    made: dict[str, Any] = {
        "batch_id": BATCH_ID,
        "status": "validating",
        "owner": "ann",
        "input_key": f"{BATCH_ID}/request.jsonl",
        "input_format": "jsonl",
        "concurrency": 2,
        "created_at": START,
    }
    return Batch.model_validate({**made, **fields})


def line_sources(lines: Iterable[Any]) -> tuple[bytes, list[LineSource]]:
    """The copy of inputs, and where each lies in it. A line is bytes, or a value that becomes JSON."""
    content, sources = b"", []
    for number, line in enumerate(lines, start=1):
        data = line if isinstance(line, bytes) else json.dumps(line).encode()
        sources.append(LineSource(line=number, offset=len(content), length=len(data)))
        content += data + b"\n"
    return content, sources
