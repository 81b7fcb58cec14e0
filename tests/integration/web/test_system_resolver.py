"""Hosts that the system's own resolver rejects, each with an error of its own kind."""

import pytest

from upcall.domain.errors import ToolError
from upcall.web.ssrf import resolve_public_addresses


@pytest.mark.parametrize("host", ["x" * 64, "x" * 4000, "a..b", ".a", "..", "a\x00b", ""])
def test_an_invalid_host_cannot_be_found(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.undo()  # the fake resolver

    with pytest.raises(ToolError, match=r"cannot be found$|not a public address$"):
        resolve_public_addresses(host, 443, 5)
