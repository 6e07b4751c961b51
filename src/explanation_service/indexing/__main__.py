"""`python -m explanation_service.indexing` runs one worker."""

from explanation_service.indexing.main import main

if __name__ == "__main__":
    main()
