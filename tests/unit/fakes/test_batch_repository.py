import pytest
from support.batch_repository_contract import BatchRepositoryContract
from support.fakes.batch_repository import InMemoryBatchRepository


class TestInMemoryBatchRepository(BatchRepositoryContract):
    @pytest.fixture
    def batches(self) -> InMemoryBatchRepository:
        return InMemoryBatchRepository()
