"""`python -m explanation_service.standalone`."""

from explanation_service.standalone.main import main

if __name__ == "__main__":
    raise SystemExit(main())
