"""`python -m explanation_service.api.openapi` prints the OpenAPI document."""

from __future__ import annotations

import json
import sys

from explanation_service.api.app import create_app
from explanation_service.settings import Settings


def main() -> None:
    """Print the document, sorted, so that two versions can be compared line by line."""
    # The document depends on no setting, so a bad environment need not keep it from anybody.
    app = create_app(Settings.model_construct())
    json.dump(app.openapi(), sys.stdout, ensure_ascii=False, indent=2, sort_keys=True)
    print()


if __name__ == "__main__":
    main()
