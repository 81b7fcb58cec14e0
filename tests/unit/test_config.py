import pytest

from upcall import config


def test_the_error_for_a_missing_variable_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TABLE_NAME", raising=False)

    with pytest.raises(config.MissingVariable, match="TABLE_NAME is not set"):
        config.table_name()


def test_a_comma_separated_variable_is_read_as_a_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLOWED_DOMAINS", "example.com, .Docs.Example.ORG,")
    assert config.allowed_domains() == {"example.com", "docs.example.org"}

    monkeypatch.setenv("ALLOWED_DOMAINS", "")
    assert config.allowed_domains() == frozenset()
