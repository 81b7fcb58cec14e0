import csv
import json
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import pytest
from support.batch_records import BATCH_ID, new_batch
from support.fakes.batch_files import InMemoryBatchFiles
from support.fakes.batch_repository import InMemoryBatchRepository
from support.fakes.clock import START, FakeClock

from upcall.domain.batch import CANCELLED
from upcall.domain.errors import NotFound
from upcall.use_cases import prepare_batch as prepare_batch_module
from upcall.use_cases.prepare_batch import BatchPrepared, prepare_batch

Prepare = Callable[..., BatchPrepared]


@pytest.fixture
def prepare(batches: InMemoryBatchRepository, files: InMemoryBatchFiles, clock: FakeClock) -> Prepare:
    """Prepare a batch whose inputs are that content; without a content it is prepared again."""

    def call(content: bytes | None = None, **fields: Any) -> BatchPrepared:
        if content is not None:
            batch = batches.add_batch(new_batch(**fields))
            files.objects[batch.input_key] = content
        return prepare_batch(BATCH_ID, batches=batches, files=files, clock=clock)

    return call


def index_of(files: InMemoryBatchFiles) -> list[dict[str, str]]:
    return list(csv.DictReader(files.objects["batch_1/index.csv"].decode().splitlines()))


def test_inputs_are_copied_and_the_index_says_where_each_line_lies(
    prepare: Prepare, batches: InMemoryBatchRepository, files: InMemoryBatchFiles
) -> None:
    prepared = prepare(b'"one"\n\n"zw\xc3\xb6lf"\r\n' + b"x" * 2_000_000 + b'\n{"a": 1}')

    assert prepared == BatchPrepared(
        status="in_progress", lines=4, concurrency=2, index_key="batch_1/index.csv", folder="batch_1/"
    )
    batch = batches.get_batch(BATCH_ID)
    assert (batch.status, batch.lines, batch.started_at) == ("in_progress", 4, START)
    index = index_of(files)
    assert [(row["line"], row["error"]) for row in index] == [
        ("1", ""),
        ("3", ""),
        ("4", "has more than 1,000,000 bytes"),
        ("5", ""),
    ]
    copied = [
        files.read_range("batch_1/inputs.jsonl", int(row["offset"]), int(row["length"])) for row in index
    ]
    assert copied == [b'"one"', '"zwölf"'.encode(), b"", b'{"a": 1}']


def test_records_of_csv_are_copied_as_objects(prepare: Prepare, files: InMemoryBatchFiles) -> None:
    assert prepare(b'city\n"Oslo\nNorway"\na,b\n', input_format="csv").lines == 2

    first, second = index_of(files)
    assert (first["line"], second["line"]) == ("2", "4")
    assert second["error"] == "has 2 fields; the header has 1"
    data = files.read_range("batch_1/inputs.jsonl", int(first["offset"]), int(first["length"]))
    assert json.loads(data) == {"city": "Oslo\nNorway"}


@pytest.mark.parametrize(
    ("content", "fields", "message"),
    [
        (b"", {}, "The file has no lines."),
        (b"\n \n\r\n", {}, "The file has no lines."),
        (b"city\n", {"input_format": "csv"}, "The file has no lines."),
        (b"", {"input_format": "csv"}, "input_key: the file must begin with a header of named columns"),
        (b"a,a\n1,2\n", {"input_format": "csv"}, "input_key: the header names 'a' more than once"),
    ],
)
def test_a_file_that_has_no_lines_stops_the_batch(
    prepare: Prepare, batches: InMemoryBatchRepository, content: bytes, fields: Any, message: str
) -> None:
    prepared = prepare(content, **fields)

    assert (prepared.status, prepared.lines) == ("in_progress", 0)
    failure = batches.get_batch(BATCH_ID).failure
    assert failure is not None
    assert (failure.code, failure.message) == ("invalid_input", message)


def test_an_object_that_does_not_exist_stops_the_batch(
    prepare: Prepare, batches: InMemoryBatchRepository
) -> None:
    batches.add_batch(new_batch(input_key="missing.jsonl"))

    assert prepare().lines == 0
    failure = batches.get_batch(BATCH_ID).failure
    assert failure is not None
    assert failure.message == "there is no object 'missing.jsonl'"


@pytest.mark.parametrize(("lines", "accepted"), [(3, True), (4, False)])
def test_a_file_of_too_many_lines_stops_the_batch(
    prepare: Prepare,
    batches: InMemoryBatchRepository,
    files: InMemoryBatchFiles,
    monkeypatch: pytest.MonkeyPatch,
    lines: int,
    accepted: bool,
) -> None:
    monkeypatch.setattr(prepare_batch_module, "MAX_LINES", 3)

    prepared = prepare(b'"a"\n' * lines)

    failure = batches.get_batch(BATCH_ID).failure
    assert (prepared.lines, failure is None) == (lines if accepted else 0, accepted)
    if failure:
        assert failure.message == "The file has more than 3 lines."
        assert "batch_1/index.csv" not in files.objects


def test_a_batch_that_is_prepared_stays_as_it_is(
    prepare: Prepare, files: InMemoryBatchFiles, clock: FakeClock
) -> None:
    first = prepare(b'"a"\n')
    files.objects["batch_1/request.jsonl"] = b'"a"\n"b"\n'
    clock.advance(5)

    assert prepare() == first
    assert files.writes == ["batch_1/index.csv", "batch_1/inputs.jsonl"]


@pytest.mark.parametrize("content", [b'"a"\n"b"\n', b"", b"a,a\n"])
@pytest.mark.parametrize("write", range(5))
def test_a_function_that_died_at_any_write_is_repeated_with_the_same_result(
    prepare: Prepare,
    batches: InMemoryBatchRepository,
    files: InMemoryBatchFiles,
    monkeypatch: pytest.MonkeyPatch,
    content: bytes,
    write: int,
) -> None:
    class DiedError(Exception):
        pass

    left = [write]

    def dying(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            left[0] -= 1
            if left[0] == -1:
                raise DiedError
            return method(*arguments)

        return call

    @contextmanager
    def create_file(key: str) -> Any:
        with original(key) as file:
            yield file
            dying(lambda: None)()

    original = files.create_file
    input_format = "csv" if content.startswith(b"a,") else "jsonl"
    with monkeypatch.context() as patch:
        patch.setattr(files, "create_file", create_file)
        patch.setattr(batches, "stop_batch", dying(batches.stop_batch))
        patch.setattr(batches, "record_lines", dying(batches.record_lines))
        died = False
        try:
            prepare(content, input_format=input_format)
        except DiedError:
            died = True
    repeated = prepare()

    assert died == (write < {b'"a"\n"b"\n': 3, b"": 4, b"a,a\n": 2}[content])
    assert repeated.lines == batches.get_batch(BATCH_ID).lines == content.count(b'"\n')
    assert repeated.status == "in_progress"
    failure = batches.get_batch(BATCH_ID).failure
    assert (failure is None) == content.startswith(b'"')


def test_a_batch_that_is_cancelled_meanwhile_stays_cancelling(
    prepare: Prepare, batches: InMemoryBatchRepository, files: InMemoryBatchFiles
) -> None:
    batch = batches.add_batch(new_batch())
    files.objects[batch.input_key] = b'"a"\n'
    batches.cancel_batch(batch, CANCELLED)

    assert (prepare().status, prepare().lines) == ("cancelling", 0)
    assert "batch_1/index.csv" not in files.objects


def test_a_batch_that_does_not_exist_is_not_found(prepare: Prepare) -> None:
    with pytest.raises(NotFound):
        prepare()
