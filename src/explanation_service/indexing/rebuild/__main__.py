"""`python -m explanation_service.indexing.rebuild` is the command `rebuild-embeddings`."""

from __future__ import annotations

from explanation_service.indexing.rebuild.main import main

if __name__ == "__main__":
    main()
