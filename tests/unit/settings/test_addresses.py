from __future__ import annotations

import pytest

from explanation_service.settings.addresses import place_of


@pytest.mark.parametrize(("address", "place"), [
    ("mongodb://127.0.0.1:1", "127.0.0.1:1"),
    ("mongodb://reader:hush@a:1,b:2/rules?replicaSet=r", "a:1,b:2"),
    ("mongodb+srv://reader:hu%40sh@cluster.example/?tls=true", "cluster.example"),
    ("redis://:hush@[::1]:6379/0", "[::1]:6379"),
    ("redis://reader:hu@sh@redis:6379", "redis:6379"),
    ("unix:///run/redis.sock?db=1&password=hush", "/run/redis.sock"),
    ("unix://reader:hush@/run/redis.sock", "/run/redis.sock"),
    ("https://qdrant.example", "qdrant.example"),
    ("redis://host:6379?password=hush", "host:6379"),
])  # fmt: skip
def test_where_a_store_is(address: str, place: str) -> None:
    assert place_of(address) == place


@pytest.mark.parametrize("password", ["hu/sh", "hu?sh", "hu#sh", "1/sh"])
def test_nothing_of_a_password_that_is_not_encoded(password: str) -> None:
    assert place_of(f"redis://reader:{password}@host:6379/0") is None
