import pytest
from support.batch_records import BATCH_ID, new_batch
from support.fakes.batch_files import InMemoryBatchFiles
from support.fakes.batch_repository import InMemoryBatchRepository
from support.fakes.clock import START

from upcall.domain.batch import BatchCounts
from upcall.domain.batch_results import BatchManifest, PartSize, ResultPart
from upcall.domain.caller import Caller
from upcall.domain.errors import NotFound
from upcall.use_cases.get_batch_results import get_batch_results

ANN = Caller("ann", one_tenant=False)


@pytest.fixture
def _ended_batch(batches: InMemoryBatchRepository, files: InMemoryBatchFiles) -> None:
    batch = batches.add_batch(new_batch())
    sizes = [
        PartSize(first_line=1, lines=3, bytes=90, failures=0),
        PartSize(first_line=9, lines=2, bytes=50, failures=1),
    ]
    manifest = BatchManifest(
        batch_id=BATCH_ID,
        status="completed",
        lines=5,
        counts=BatchCounts(),
        created_at=START,
        parts=tuple(ResultPart.of(batch, number, size) for number, size in enumerate(sizes, 1)),
    )
    files.objects[batch.manifest_key] = manifest.model_dump_json().encode()
    batches.end_batch(batch, "completed", 2, START)


@pytest.mark.usefixtures("_ended_batch")
def test_each_part_has_urls_that_are_valid_for_an_hour(
    batches: InMemoryBatchRepository, files: InMemoryBatchFiles
) -> None:
    results = get_batch_results(BATCH_ID, ANN, batches=batches, files=files)

    assert results.manifest_url == "https://bucket.example/batch_1/manifest.json?expires=3600"
    first, second = results.files
    assert first.url == "https://bucket.example/batch_1/results/00001.jsonl?expires=3600"
    assert (first.first_line, first.lines, first.bytes, first.failures_url) == (1, 3, 90, None)
    assert second.failures_url == "https://bucket.example/batch_1/failures/00002.jsonl?expires=3600"


def test_a_batch_that_has_not_ended_has_no_results(
    batches: InMemoryBatchRepository, files: InMemoryBatchFiles
) -> None:
    batches.add_batch(new_batch(status="finalizing"))

    with pytest.raises(NotFound, match="batch batch_1 has no results yet: it is finalizing"):
        get_batch_results(BATCH_ID, ANN, batches=batches, files=files)


@pytest.mark.usefixtures("_ended_batch")
def test_results_of_another_caller_are_not_found(
    batches: InMemoryBatchRepository, files: InMemoryBatchFiles
) -> None:
    with pytest.raises(NotFound, match="^there is no batch 'batch_1'$"):
        get_batch_results(BATCH_ID, Caller("bob", one_tenant=False), batches=batches, files=files)
