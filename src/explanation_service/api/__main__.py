"""`python -m explanation_service.api` is the command `explanation-api`."""

from explanation_service.api.main import main

if __name__ == "__main__":
    main()
