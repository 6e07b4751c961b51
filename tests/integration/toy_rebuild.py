"""The command `rebuild-embeddings` with a model without torch."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from explanation_service.indexing.rebuild.main import main
from explanation_service.settings import Settings
from tests.integration.toy_encoder import ToyEncoder


def toy_of_environment(_settings: Settings) -> ToyEncoder:
    """The model that TOY_REVISION, TOY_NOISE, TOY_SECONDS, TOY_JOURNAL and TOY_POISON describe."""
    journal = os.environ.get("TOY_JOURNAL")
    return ToyEncoder(
        os.environ["TOY_REVISION"],
        noise=bool(os.environ.get("TOY_NOISE")),
        seconds=float(os.environ.get("TOY_SECONDS", "0")),
        journal=Path(journal) if journal else None,
        poison=os.environ["TOY_POISON"],
    )


def run_command(
    arguments: Sequence[str], environment: Mapping[str, str], out: Path, err: Path
) -> None:
    """`rebuild-embeddings` with these arguments, in a process made for it, which it ends."""
    os.environ.update(environment)
    for file, number in ((out, 1), (err, 2)):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
    main(arguments, toy_of_environment)
