"""The command `explanation`: finds the sub-command and says what went wrong in one sentence."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from explanation_service import __version__
from explanation_service.telemetry.logging import configure_logging

EXIT_FAILURE = 1
EXIT_USAGE = 2
# As a shell reports a command that was interrupted.
EXIT_INTERRUPTED = 130

_STANDALONE = "explanation_service.standalone.main"
# Imported when they are called: the drivers of all stores take a second, which a health check that
# runs every few seconds must not cost.
_COMMANDS = {
    "templates": "explanation_service.cli.templates",
    "dead-letters": "explanation_service.cli.dead_letters",
    "reconcile": "explanation_service.cli.reconcile",
    "doctor": "explanation_service.cli.doctor",
    "healthcheck": "explanation_service.cli.healthcheck",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a sub-command; the answer is the exit code."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    # Warnings of the libraries would come between the lines of a progress bar.
    configure_logging("ERROR", "cli")
    try:
        if arguments[:1] == ["standalone"]:
            # It has options of its own and imports the embedded stores.
            code: int = importlib.import_module(_STANDALONE).main(arguments[1:])
            return code
        options = _parser(arguments[:1]).parse_args(arguments)
        code = options.run(options)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # Whoever read us (head, less) has seen enough; the flush at exit must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILURE
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except Exception as error:
        return _report(error)


def _report(error: Exception) -> int:
    """Print the sentence and return the exit code; a mistake of ours is raised."""
    from explanation_service.cli.faults import one_sentence
    from explanation_service.settings import SettingsError

    sentence = one_sentence(error)
    if sentence is None:
        raise error
    print(sentence, file=sys.stderr)
    return EXIT_USAGE if isinstance(error, SettingsError) else EXIT_FAILURE


def _parser(chosen: Sequence[str]) -> argparse.ArgumentParser:
    """The parser with the sub-command that was chosen, or with all of them for help."""
    parser = argparse.ArgumentParser(
        prog="explanation", description="The explanation service, from the command line."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    commands.add_parser(
        "standalone", help="the whole service on this machine, with nothing to set up"
    )
    modules = [module for name, module in _COMMANDS.items() if name in chosen]
    for module in modules or _COMMANDS.values():
        importlib.import_module(module).register(commands)
    return parser
