"""Copy the inputs of a batch, and write an index of their lines, from which the workflow starts runs."""

import csv
import io
from contextlib import ExitStack

from upcall.domain.batch import Batch, BatchStatus
from upcall.domain.batch_input import read_lines
from upcall.domain.batch_request import MAX_LINES
from upcall.domain.errors import InvalidInput, NotFound
from upcall.domain.failure import Failure
from upcall.domain.model import Model
from upcall.observability.logging import logger
from upcall.use_cases.interfaces import BatchFiles, BatchRepository, Clock


class BatchPrepared(Model):
    """What the workflow needs of a batch. Without `lines` there is nothing to run."""

    status: BatchStatus
    lines: int
    concurrency: int
    index_key: str
    folder: str


class _TooManyLines(Exception):
    pass


def prepare_batch(
    batch_id: str, *, batches: BatchRepository, files: BatchFiles, clock: Clock
) -> BatchPrepared:
    """Copy the inputs; a copy cannot change while the batch runs. In memory there is one line at a time.

    A file that cannot be read stops the batch. Raises NotFound for the batch.
    """
    batch = batches.get_batch(batch_id)
    lines = batch.lines
    if lines is None and batch.status == "validating":
        lines = 0
        try:
            lines = _copy(batch, files)
        except (NotFound, InvalidInput) as error:
            batches.stop_batch(batch, Failure(code="invalid_input", message=str(error)))
        except _TooManyLines:
            message = f"The file has more than {MAX_LINES:,} lines."
            batches.stop_batch(batch, Failure(code="invalid_input", message=message))
        else:
            if not lines:
                batches.stop_batch(batch, Failure(code="invalid_input", message="The file has no lines."))
        batch = batches.record_lines(batch, lines, clock.now())
        logger.info("batch prepared", batch_id=batch_id, lines=lines)
    return BatchPrepared(
        status=batch.status,
        lines=lines or 0,
        concurrency=batch.concurrency,
        index_key=batch.index_key,
        folder=batch.folder,
    )


def _copy(batch: Batch, files: BatchFiles) -> int:
    offset = count = 0
    with ExitStack() as stack:
        source = files.open_file(batch.input_key)
        copy = stack.enter_context(files.create_file(batch.inputs_key))
        index = io.TextIOWrapper(stack.enter_context(files.create_file(batch.index_key)), "utf-8", newline="")
        writer = csv.writer(index)
        writer.writerow(("line", "offset", "length", "error"))
        for line in read_lines(source, batch.input_format):
            if count == MAX_LINES:
                raise _TooManyLines
            copy.write(line.data + b"\n")
            writer.writerow((line.number, offset, len(line.data), line.error))
            offset += len(line.data) + 1
            count += 1
        index.detach()
    return count
