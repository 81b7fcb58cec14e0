import pytest

pytest.register_assert_rewrite(
    "support.run_repository_contract",
    "support.workflow_contract",
    "support.batch_repository_contract",
    "support.batch_files_contract",
)
