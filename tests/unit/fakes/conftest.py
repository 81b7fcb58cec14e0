import pytest

pytest.register_assert_rewrite(
    "support.batch_files_contract",
    "support.batch_repository_contract",
    "support.rate_limit_repository_contract",
    "support.run_repository_contract",
    "support.workflow_contract",
)
