"""`python -m explanation_service.standalone.qdrant_server`."""

from explanation_service.standalone.qdrant_server.main import main

if __name__ == "__main__":
    raise SystemExit(main())
