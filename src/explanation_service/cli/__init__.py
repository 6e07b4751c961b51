"""The command `explanation` and its sub-commands."""
