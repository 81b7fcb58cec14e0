"""Where the results of a batch can be read."""

from upcall.domain.batch_results import BatchManifest
from upcall.domain.batch_view import BatchResults, ResultFile
from upcall.domain.caller import Caller
from upcall.domain.errors import NotFound
from upcall.use_cases.get_batch import get_batch_of_caller
from upcall.use_cases.interfaces import BatchFiles, BatchRepository

URL_SECONDS = 3600


def get_batch_results(
    batch_id: str, caller: Caller, *, batches: BatchRepository, files: BatchFiles
) -> BatchResults:
    """The objects with the results, with URLs that are valid for an hour. Raises NotFound before the end."""
    batch = get_batch_of_caller(batch_id, caller, batches)
    if not batch.ended:
        raise NotFound(f"batch {batch_id} has no results yet: it is {batch.status}")
    manifest_key = batch.manifest_key
    manifest = BatchManifest.model_validate_json(files.open_file(manifest_key).read())
    return BatchResults(
        batch_id=batch_id,
        manifest_url=files.presign_url(manifest_key, URL_SECONDS),
        files=tuple(
            ResultFile(
                url=files.presign_url(part.key, URL_SECONDS),
                first_line=part.first_line,
                lines=part.lines,
                bytes=part.bytes,
                failures=part.failures,
                failures_url=files.presign_url(part.failures_key, URL_SECONDS) if part.failures_key else None,
            )
            for part in manifest.parts
        ),
    )
