"""Addresses of tracking servers are shown without what is secret in them."""

import pytest

from results.trackers.addresses import without_password


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("http://user:secret@host:5000/path", "http://...@host:5000/path"),
        ("http://to%40ken:p@ss@host:5000", "http://...@host:5000"),
        (
            "postgresql://host/db?user=u&password=ge/heim&sslmode=on",
            "postgresql://host/db?user=u&password=...&sslmode=on",
        ),
        ("mssql://host/db?PWD=x", "mssql://host/db?PWD=..."),
        ("http://host:9?access_token=x/api failed: 'http://host:9?access_token=x'", "{0} failed: '{0}'"),
        ("http://host/?page=3&monkey=5", "http://host/?page=3&monkey=5"),
        ("sqlite:////folder/mlflow.db", "sqlite:////folder/mlflow.db"),
    ],
)
def test_users_passwords_and_tokens_are_left_out(address: str, shown: str) -> None:
    assert without_password(address) == shown.format("http://host:9?access_token=...")
