import pytest
from support.fakes.run_repository import InMemoryRunRepository
from support.run_repository_contract import RunRepositoryContract


class TestInMemoryRunRepository(RunRepositoryContract):
    @pytest.fixture
    def repository(self) -> InMemoryRunRepository:
        return InMemoryRunRepository()
