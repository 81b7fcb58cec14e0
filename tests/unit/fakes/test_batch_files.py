import pytest
from support.batch_files_contract import BatchFilesContract
from support.fakes.batch_files import InMemoryBatchFiles


class TestInMemoryBatchFiles(BatchFilesContract):
    @pytest.fixture
    def files(self) -> InMemoryBatchFiles:
        return InMemoryBatchFiles()
