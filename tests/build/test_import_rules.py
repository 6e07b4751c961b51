"""Who may import what: the architecture's arrows, read from the source."""

from __future__ import annotations

import ast
from pathlib import Path

SOURCE = Path("src/explanation_service")
DRIVERS = {"redis", "motor", "pymongo", "bson", "qdrant_client"}
ML = {
    "torch",
    "transformers",
    "tokenizers",
    "sentence_transformers",
    "scipy",
    "sklearn",
    "onnxruntime",
    "fasttext",
    "navec",
}


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def importers(roots: set[str]) -> set[str]:
    """Packages below src/explanation_service with a file that imports one of the roots."""
    return {
        path.relative_to(SOURCE).parts[0]
        for path in SOURCE.rglob("*.py")
        if {name.split(".")[0] for name in imports(path)} & roots
    }


def service_imports(package: str) -> set[str]:
    """Packages of the service that `package` imports."""
    return {
        name.split(".")[1]
        for path in (SOURCE / package).rglob("*.py")
        for name in imports(path)
        if name.startswith("explanation_service.")
    }


def test_only_the_stores_import_drivers() -> None:
    # standalone holds a server that speaks Qdrant's protocol with the client's own models.
    assert importers(DRIVERS) == {"stores", "standalone"}


def test_only_writing_vectors_needs_qdrants_own_client() -> None:
    # src/explanation_service/stores/BUILD.bazel makes a target of its own of these.
    writing = {
        "index_collections",
        "qdrant",
        "vector_collection",
        "vector_index",
        "vector_points",
        "vector_writes",
    }
    using = {
        path.stem
        for path in (SOURCE / "stores").glob("*.py")
        if {name.split(".")[0] for name in imports(path)} & {"qdrant_client", "numpy"}
    }
    assert using == writing
    modules = {f"explanation_service.stores.{name}" for name in writing}
    importing = {
        path.relative_to(SOURCE).parts[0]
        for path in SOURCE.rglob("*.py")
        if imports(path) & modules
    }
    assert not importing & {"api", "content", "explanations", "retrieval"}
    reading = {path.stem for path in (SOURCE / "stores").glob("*.py") if imports(path) & modules}
    assert reading <= writing


def test_only_the_worker_imports_ml() -> None:
    assert importers(ML) == {"indexing"}


def test_the_api_side_never_imports_the_worker() -> None:
    for package in (
        "api",
        "explanations",
        "retrieval",
        "reconciliation",
        "cli",
        "content",
        "stores",
        "settings",
        "telemetry",
    ):
        assert "indexing" not in service_imports(package), package


def test_lower_packages_do_not_import_higher_ones() -> None:
    order = [
        "settings",
        "telemetry",
        "stores",
        "retrieval",
        "reconciliation",
        "explanations",
        "api",
    ]
    for place, package in enumerate(order):
        assert not service_imports(package) & set(order[place + 1 :]), package
