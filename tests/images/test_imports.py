"""What is in an image works there: its interpreter, with its libraries alone, imports everything.

The layers are unpacked and the image's own loader starts the image's own interpreter; the process
says which files it has mapped, so that no library of the machine can have helped.
"""

from __future__ import annotations

import json
import subprocess
import tarfile
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from tests.images.artefacts import IMAGES, LAYERS, config, layer_blob

LIBRARIES = ["lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu"]
# Of the standard library, by first part of the name; the images leave out what needs a screen, a
# reader or a test runner (images/config.bzl), Debian has some in packages of their own.
ABSENT = {
    "antigravity": "opens a browser",
    "ensurepip": "Debian's says that pip comes as a package",
    "idlelib": "needs a screen",
    "lib2to3": "a package of its own",
    "pydoc_data": "manuals",
    "test": "the tests of the standard library",
    "tkinter": "needs a screen",
    "turtle": "needs a screen",
    "turtledemo": "needs a screen",
    "this": "prints a poem",
    "venv": "needs ensurepip",
}
# Of other systems, or of Debian packages of their own (gdbm, tk, distutils).
NOT_HERE = set(
    [
        "_aix_support",
        "_bootsubprocess",
        "_gdbm",
        "_msi",
        "_overlapped",
        "_scproxy",
        "_tkinter",
        "_winapi",
        "asyncio.windows_events",
        "asyncio.windows_utils",
        "ctypes.wintypes",
        "dbm.gnu",
        "distutils",
        "encodings.mbcs",
        "encodings.oem",
        "msilib",
        "msvcrt",
        "multiprocessing.popen_spawn_win32",
        "nt",
        "nturl2path",
        "ossaudiodev",
        "winreg",
        "winsound",
    ]
)
# Distribution -> module, where the name does not tell.
MODULES = {
    "fasttext-numpy2-wheel": "fasttext",
    "sentence-transformers": "sentence_transformers",
    "prometheus-client": "prometheus_client",
    "pydantic-settings": "pydantic_settings",
    "qdrant-client": "qdrant_client",
    "opentelemetry-api": "opentelemetry",
}
STANDARD_LIBRARY = """
import contextlib, importlib, io, json, pkgutil, sys
absent = json.loads(sys.argv[1])
failed, done = {}, []
def take(name):
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            importlib.import_module(name)
        done.append(name)
    except BaseException as error:
        failed[name] = f"{type(error).__name__}: {error}"
for name in sorted(sys.stdlib_module_names):
    if name in absent:
        continue
    spec = None
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError) as error:
        failed[name] = str(error)
    if spec is None:
        failed.setdefault(name, "not found")
        continue
    take(name)
    module = sys.modules.get(name)
    for part in pkgutil.walk_packages(getattr(module, "__path__", []), name + "."):
        if not part.name.endswith("__main__") and part.name.split(".")[0] not in absent:
            take(part.name)
"""
PACKAGES = """
import importlib, json, sys
failed, done = {}, []
for name in json.loads(sys.argv[1]):
    try:
        importlib.import_module(name)
        done.append(name)
    except BaseException as error:
        failed[name] = f"{type(error).__name__}: {error}"
"""
ENCODE = """
import json, sys
from sentence_transformers import SentenceTransformer
model = SentenceTransformer(sys.argv[1], device="cpu", local_files_only=True)
vectors = model.encode(["query: как проверить букву в корне"], normalize_embeddings=True)
failed, done = {}, [list(vectors.shape), float((vectors ** 2).sum())]
"""
ANSWER = """
maps = {line.split(None, 5)[5].strip() for line in open("/proc/self/maps") if "/" in line}
print(json.dumps({"failed": failed, "done": done, "maps": sorted(maps)}))
"""


@pytest.fixture(scope="module", params=IMAGES)
def image(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def root(image: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All layers of the image, unpacked over each other."""
    folder = tmp_path_factory.mktemp(image).resolve()
    for name in LAYERS[image]:
        with tarfile.open(layer_blob(image, name)) as archive:
            archive.extractall(folder)
    return folder


def run(root: Path, image: str, script: str, *arguments: str) -> dict[str, Any]:
    """The answer of a script in the image's interpreter."""
    environment = dict(each.split("=", 1) for each in config(image)["config"]["Env"])
    # Found by what the image itself says, seen from outside.
    environment |= {
        # Else libc would read its data from this machine's folders.
        "GCONV_PATH": str(root / "usr/lib/x86_64-linux-gnu/gconv"),
        "LC_ALL": "C",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONHOME": str(root / "usr"),
        "PYTHONPATH": str(root / "app"),
        "TMPDIR": str(root / "tmp"),
        "HOME": str(root / "tmp"),
    }
    libraries = ":".join(str(root / folder) for folder in LIBRARIES)
    done = subprocess.run(
        [
            str(root / "lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"),
            "--inhibit-cache",
            "--library-path",
            libraries,
            str(root / "usr/bin/python3.11"),
            "-c",
            script + ANSWER,
            *arguments,
        ],
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    foreign = [
        path
        for path in answer["maps"]
        if not path.startswith((str(root), "/dev/", "/memfd:", "/proc/", "[", "anon_inode"))
    ]
    assert foreign == [], "files of this machine took part"
    return answer


def test_the_standard_library_imports(root: Path, image: str) -> None:
    answer = run(root, image, STANDARD_LIBRARY, json.dumps(list(ABSENT)))
    failed = {name: why for name, why in answer["failed"].items() if name not in NOT_HERE}
    assert failed == {}
    assert len(answer["done"]) > 400


def test_every_declared_package_imports(root: Path, image: str) -> None:
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    declared = list(project["dependencies"])
    if image == "worker":
        declared += project["optional-dependencies"]["worker"]
    names = [Requirement(text).name for text in declared]
    modules = [MODULES.get(name, name.replace("-", "_")) for name in names]
    answer = run(root, image, PACKAGES, json.dumps(modules))
    assert answer["failed"] == {}
    assert answer["done"] == modules


def test_the_worker_s_model_encodes(root: Path, image: str) -> None:
    if image != "worker":
        # The API has neither the model nor the library: that is what must be.
        assert not (root / "model").exists()
        return
    answer = run(root, image, ENCODE, str(root / "model"))
    shape, square = answer["done"]
    assert shape == [1, 384]
    assert abs(square - 1) < 1e-3
