"""`bazel run //images:..._push` against a real registry, and what other tools find there."""

from __future__ import annotations

import http.client
import http.server
import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.registry.conftest import Registry, push, tool

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def pushed(target: str, registry: Registry, name: str, *tags: str) -> str:
    """Push and return the repository."""
    arguments = [argument for tag in tags for argument in ("--tag", tag)]
    done = push(target, "--repository", f"{registry.host}/{name}", *arguments)
    assert done.returncode == 0, done.stderr
    return f"{registry.url}/v2/{name}"


def digest_of(layout: str) -> str:
    index = json.loads((Path(layout) / "index.json").read_text())
    digest: str = index["manifests"][0]["digest"]
    return digest


def manifest(repository: str, reference: str, media_type: str = MANIFEST) -> httpx.Response:
    headers = {"Accept": media_type}
    return httpx.get(f"{repository}/manifests/{reference}", headers=headers, trust_env=False)


def test_every_tag_names_the_digest_that_was_built(registry: Registry) -> None:
    repository = pushed("images/api_push", registry, "team/api", "1.2.3", "latest")
    for tag in ("1.2.3", "latest"):
        answer = manifest(repository, tag)
        assert answer.status_code == 200, answer.text
        assert answer.headers["Docker-Content-Digest"] == digest_of("images/api")


def test_what_is_there_is_not_sent_again(registry: Registry) -> None:
    pushed("images/api_push", registry, "again", "1")
    before = registry.uploads()
    pushed("images/api_push", registry, "again", "2")
    assert registry.uploads() == before


def test_an_edit_sends_its_layer_and_the_configuration(registry: Registry) -> None:
    pushed("images/api_push", registry, "edited", "1")
    before = registry.uploads()
    repository = pushed("tests/registry/edited_api_push", registry, "edited", "2")
    assert registry.uploads() == before + 2
    old, new = (manifest(repository, tag).json() for tag in ("1", "2"))
    have = {layer["digest"] for layer in old["layers"]}
    missing = [layer for layer in new["layers"] if layer["digest"] not in have]
    assert len(missing) == 1


def test_an_index_brings_an_image_for_each_platform(registry: Registry) -> None:
    repository = pushed("images/api_index_push", registry, "multi", "1.2.3")
    answer = manifest(repository, "1.2.3", INDEX)
    assert answer.headers["Content-Type"] == INDEX
    platforms = {}
    for one in answer.json()["manifests"]:
        platform = one["platform"]
        config = manifest(repository, one["digest"]).json()["config"]["digest"]
        found = httpx.get(f"{repository}/blobs/{config}", follow_redirects=True, trust_env=False)
        assert found.json()["architecture"] == platform["architecture"]
        platforms[platform["architecture"]] = one["digest"], platform.get("variant")
    assert platforms["amd64"] == (digest_of("images/api"), None)
    assert platforms["arm64"] == (digest_of("images/api_arm64"), "v8")


def test_crane_finds_nothing_wrong(registry: Registry) -> None:
    pushed("images/api_index_push", registry, "checked", "1")
    subprocess.run(
        [tool("crane"), "validate", "--remote", f"{registry.host}/checked:1"],
        check=True,
        timeout=300,
    )


def test_skopeo_copies_and_umoci_unpacks_it(registry: Registry, tmp_path: Path) -> None:
    pushed("images/api_push", registry, "copied", "1")
    copy = tmp_path / "copy"
    subprocess.run(
        [
            *(tool("skopeo"), "--insecure-policy", "copy", "--quiet", "--src-tls-verify=false"),
            *(f"docker://{registry.host}/copied:1", f"oci:{copy}:1"),
        ],
        check=True,
        timeout=300,
    )
    assert digest_of(str(copy)) == digest_of("images/api")
    bundle = tmp_path / "bundle"
    subprocess.run(
        [tool("umoci"), "unpack", "--rootless", "--image", f"{copy}:1", bundle],
        check=True,
        timeout=300,
        capture_output=True,
    )
    assert (bundle / "rootfs/app/explanation_service/api/__main__.py").is_file()
    settings = json.loads((bundle / "config.json").read_text())
    assert settings["process"]["args"][:2] == ["/usr/bin/python3.11", "-m"]


class Unsteady(http.server.BaseHTTPRequestHandler):
    """Hands everything on to the registry but the first requests: not just now, it says."""

    protocol_version = "HTTP/1.1"
    registry = ""
    failures = 0
    refused = 0
    lock = threading.Lock()

    def _hand_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with self.lock:
            refuse = type(self).failures > 0
            if refuse:
                type(self).failures -= 1
                type(self).refused += 1
        if refuse:
            self.send_response(503)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        upstream = http.client.HTTPConnection(self.registry, timeout=60)
        upstream.request(self.command, self.path, body, dict(self.headers.items()))
        answer = upstream.getresponse()
        data = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        length = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(data))
        self.send_header("Content-Length", length or "0")
        self.end_headers()
        self.wfile.write(data)
        upstream.close()

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = _hand_on

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@contextmanager
def unsteady(registry: Registry, failures: int) -> Iterator[str]:
    handler = type("Handler", (Unsteady,), {"registry": registry.host, "failures": failures})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
        assert handler.failures == 0  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_registry_that_stumbles_is_asked_again(registry: Registry) -> None:
    with unsteady(registry, failures=2) as host:
        done = push("tests/registry/small_push", "--repository", f"{host}/small", "--tag", "1")
    assert done.returncode == 0, done.stderr
    assert manifest(f"{registry.url}/v2/small", "1").status_code == 200
