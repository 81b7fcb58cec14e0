import pytest
from support.wired_handlers import WiredHandlers


@pytest.fixture
def handlers(monkeypatch: pytest.MonkeyPatch) -> WiredHandlers:
    return WiredHandlers(monkeypatch)
