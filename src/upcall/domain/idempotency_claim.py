"""The run that an idempotency key stands for."""

from upcall.domain.model import Model


class IdempotencyClaim(Model):
    """The run that a key stands for, and the fingerprint of the request that claimed it."""

    run_id: str
    fingerprint: str
