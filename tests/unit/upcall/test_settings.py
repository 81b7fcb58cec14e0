import pytest

from upcall import config


def test_a_missing_setting_says_its_name() -> None:
    with pytest.raises(config.MissingSetting, match="TABLE_NAME is not set"):
        config.table_name()


def test_local_hosts_are_read_as_a_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FETCH_LOCAL_HOSTS", "127.0.0.1:80,localhost:8080")
    assert config.local_hosts() == {"127.0.0.1:80", "localhost:8080"}

    monkeypatch.setenv("FETCH_LOCAL_HOSTS", "")
    assert config.local_hosts() == frozenset()
