"""Documents that are made to use up time or memory become a text or an error, within the limits of the function.

A few documents by default, the same each time. With UPCALL_FUZZ=N (`make fuzz`) it is N random ones, and
`make fuzz-documents` goes on for an hour.
"""

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

import pytest
from support.arbitrary_values import EXAMPLES
from support.hostile_documents import hostile_document

from local.config import ROOT
from upcall.documents.extraction_protocol import receive, send

DEFAULT_EXAMPLES = 12

SECONDS = float(os.environ.get("UPCALL_FUZZ_SECONDS", "0"))
"""Set by `make fuzz-documents`: how long to go on."""

SEED = os.environ.get("UPCALL_FUZZ_SEED")
"""One document again, by the seed that a failure names."""

MAX_MEGABYTES = 400
"""Of the function's process and the worker's together."""

MAX_WORKER_SECONDS = 15
"""Until the model has a text or an error, on a machine that is not busy."""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux limits the worker's memory")
def test_a_hostile_document_is_a_text_or_an_error_within_the_limits_of_the_function() -> None:
    findings: list[str] = []
    slowest: list[tuple[float, str]] = []
    with subprocess.Popen(
        [sys.executable, "-m", "support.document_reader"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env={"PYTHONPATH": ":".join(str(ROOT / folder) for folder in ("src", "tests", ""))},
    ) as reader:
        requests, responses = cast("BinaryIO", reader.stdin), cast("BinaryIO", reader.stdout)
        for seed in _seeds():
            document = hostile_document(seed)
            send(requests, {"media_type": document.media_type, "name": document.name}, document.body)
            result, _ = receive(responses)
            megabytes = result["client_megabytes"] + result["worker_megabytes"]
            line = f"{result['seconds']:.1f} s, {megabytes} MB: {document.description}: {result['outcome']}"
            slowest = sorted([*slowest, (result["seconds"], line)], reverse=True)[:20]
            if (
                megabytes > MAX_MEGABYTES
                or result["seconds"] > MAX_WORKER_SECONDS
                or result["outcome"].startswith("defect")
            ):
                findings.append(line)
                sys.stderr.write(f"finding: {line}\n")
        requests.close()
    sys.stderr.write("\n  ".join(["slowest:", *(line for _, line in slowest)]) + "\n")

    assert not findings


def test_the_same_seed_gives_the_same_document() -> None:
    for seed in range(5):
        assert hostile_document(seed) == hostile_document(seed)


def _seeds() -> Iterator[int]:
    if SEED:
        yield int(SEED)
    elif SECONDS:
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            yield random.randrange(2**32)
    else:
        yield from (random.sample(range(2**32), EXAMPLES) if EXAMPLES else range(DEFAULT_EXAMPLES))
