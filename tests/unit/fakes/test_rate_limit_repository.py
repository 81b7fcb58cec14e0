import pytest
from support.fakes.rate_limit_repository import InMemoryRateLimitRepository
from support.rate_limit_repository_contract import RateLimitRepositoryContract, known

__all__ = ["known"]


class TestInMemoryRateLimitRepository(RateLimitRepositoryContract):
    @pytest.fixture
    def rate_limits(self) -> InMemoryRateLimitRepository:
        return InMemoryRateLimitRepository()
