"""What both generations of Compose say of a service."""

from __future__ import annotations

import json

import pytest

from infra.scripts.migration.compose import Declared, declared_in_json, declared_in_yaml

# As docker-compose 1.29 writes it: sorted, two blanks a level.
OLD = """\
services:
  python-generator:
    environment:
      API_KEYS: ''
    image: python-generator:2
    ports:
    - 127.0.0.1:8001:8000/tcp
    read_only: true
  python-generator-api:
    depends_on:
      redis:
        condition: service_healthy
    image: python-generator-api:2
    ports:
    - {port}
  python-generator-worker:
    image: python-generator-worker:2
version: '3.9'
"""


@pytest.mark.parametrize(
    ("port", "host"),
    [
        ("127.0.0.1:8000:8000/tcp", "127.0.0.1"),
        ("8000:8000/tcp", ""),
        ("0.0.0.0:8000:8000", "0.0.0.0"),
    ],
)
def test_yaml(port: str, host: str) -> None:
    text = OLD.format(port=port)
    api = declared_in_yaml(text, "python-generator-api")
    assert api == Declared("python-generator-api:2", host, 8000)
    worker = declared_in_yaml(text, "python-generator-worker")
    assert worker == Declared("python-generator-worker:2", "", None)
    assert declared_in_yaml(text, "python-generator").port == 8001
    with pytest.raises(KeyError):
        declared_in_yaml(text, "python")


def test_json() -> None:
    port = {
        "mode": "ingress",
        "host_ip": "127.0.0.1",
        "target": 8000,
        "published": "8000",
        "protocol": "tcp",
    }
    services = {
        "python-generator-api": {"image": "python-generator-api:2", "ports": [port]},
        "python-generator-worker": {"image": "python-generator-worker:2"},
    }
    text = json.dumps({"name": "explanation", "services": services})
    api = declared_in_json(text, "python-generator-api")
    assert api == Declared("python-generator-api:2", "127.0.0.1", 8000)
    worker = declared_in_json(text, "python-generator-worker")
    assert worker == Declared("python-generator-worker:2", "", None)
