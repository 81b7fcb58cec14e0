"""What every RunRepository does.

Test modules subclass RunRepositoryContract and provide the fixture `repository`, which is empty at first.
"""

from support.run_repository_contract.ends import EndContract
from support.run_repository_contract.ledger import LedgerContract
from support.run_repository_contract.lists import ListContract
from support.run_repository_contract.log import LogContract
from support.run_repository_contract.open_calls import OpenCallContract
from support.run_repository_contract.quotas import QuotaContract
from support.run_repository_contract.records import RecordContract
from support.run_repository_contract.text import TextContract
from support.run_repository_contract.webhooks import WebhookContract


class RunRepositoryContract(
    RecordContract,
    LedgerContract,
    EndContract,
    ListContract,
    LogContract,
    TextContract,
    WebhookContract,
    OpenCallContract,
    QuotaContract,
):
    """The whole contract."""
