"""No secret gets into a log line or an answer, whatever goes wrong."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import httpx

from explanation_service.settings import Settings

SECRETS = {
    "reader": "reader-key-7f3a91",
    "admin": "admin-key-55c0de",
    "wrong": "wrong-key-91b2aa",
    "mongodb": "mongodb-password-1c9e",
    "redis": "redis-password-88f0",
    "qdrant": "qdrant-key-03ad7b",
    "model": "AQVN-model-key-6d21",
}
RULE = {"title": "Тире", "body": "Тире ставится между подлежащим и сказуемым."}


def with_passwords(settings: Settings, mongodb: str, redis: str, qdrant: str) -> Settings:
    """The settings with these addresses and a password in each."""
    addresses = {
        "mongodb_uri": mongodb.replace("://", f"://user:{SECRETS['mongodb']}@"),
        "redis_url": redis.replace("://", f"://user:{SECRETS['redis']}@"),
        "qdrant_url": qdrant,
    }
    return settings.model_copy(update=addresses)


def keys(model_url: str) -> dict[str, str]:
    return {
        "API_KEYS": SECRETS["reader"],
        "ADMIN_API_KEYS": SECRETS["admin"],
        "QDRANT_API_KEY": SECRETS["qdrant"],
        "YANDEXGPT_API_KEY": SECRETS["model"],
        "YANDEXGPT_FOLDER_ID": "folder",
        "YANDEXGPT_BASE_URL": model_url,
        "RATE_LIMIT_PER_MINUTE": "100000",
        "LOG_LEVEL": "DEBUG",
    }


def use(client: httpx.Client) -> list[httpx.Response]:
    """Requests to every route with every kind of key, right and wrong, in either header."""
    answers = []
    for kind, header, prefix in (
        ("reader", "X-API-Key", ""),
        ("admin", "Authorization", "Bearer "),
        ("wrong", "Authorization", "Bearer "),
    ):
        key = SECRETS[kind]
        for method, path, body in (
            ("PUT", "/v1/templates/a", RULE),
            ("GET", "/v1/templates/a", None),
            ("GET", f"/v1/templates?key={key}", None),
            ("POST", "/v1/rag/search", {"query": "тире"}),
            ("POST", "/v1/rag/search", {"query": 5}),
            ("GET", "/v1/rag/status", None),
            ("POST", "/v1/rag/reindex", {"all": True}),
            ("POST", "/v1/explanations", {"question": "Где тире?", "student_answer": "там"}),
            ("GET", "/health/ready", None),
            ("GET", "/metrics", None),
        ):
            headers = {header: prefix + key, "Idempotency-Key": f"{kind}-{len(answers)}"}
            answers.append(client.request(method, path, json=body, headers=headers))
    answers.append(client.get("/v1/templates", headers={"Authorization": SECRETS["wrong"]}))
    return answers


def leaks(texts: list[str]) -> set[str]:
    return {name for name, secret in SECRETS.items() for text in texts if secret in text}


def check(api: Any) -> list[httpx.Response]:
    with api.client() as client:
        answers = use(client)
    assert api.stop() == 0
    texts = [answer.text + str(answer.headers) for answer in answers]
    assert leaks(texts) == set()
    assert leaks([api.errors(), (api.folder / "out").read_text()]) == set()
    return answers


def test_stores_that_refuse_the_password(settings: Settings, tmp_path: Path, run_api: Any) -> None:
    secret = with_passwords(settings, settings.mongodb_uri, settings.redis_url, settings.qdrant_url)
    with run_api(secret, tmp_path, **keys("http://127.0.0.1:9")) as api:
        assert len(check(api)) == 31


def test_stores_that_are_away(settings: Settings, tmp_path: Path, run_api: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nowhere = f"127.0.0.1:{taken.getsockname()[1]}"
        mongodb = f"mongodb://{nowhere}/?serverSelectionTimeoutMS=100"
        secret = with_passwords(settings, mongodb, f"redis://{nowhere}", f"http://{nowhere}")
        with run_api(secret, tmp_path, **keys(f"http://{nowhere}")) as api:
            statuses = {answer.status_code for answer in check(api)}
    assert {200, 401, 403, 422, 503} <= statuses


def test_all_is_well(settings: Settings, tmp_path: Path, run_api: Any) -> None:
    with run_api(settings, tmp_path, **keys("http://127.0.0.1:9")) as api:
        statuses = {answer.status_code for answer in check(api)}
    assert {200, 201, 202, 401, 403, 422} <= statuses and 500 not in statuses
