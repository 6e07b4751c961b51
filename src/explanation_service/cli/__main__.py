"""`python -m explanation_service.cli` is the command `explanation`."""

import sys

from explanation_service.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
