"""One call of the script: where the journal says it stands, what is done, and how it ends."""

from __future__ import annotations

from infra.scripts.migration import engine, outcomes, preflight
from infra.scripts.migration.back import PLAN, Back
from infra.scripts.migration.compose import Compose, find_compose
from infra.scripts.migration.console import Console
from infra.scripts.migration.engine import CommandFailed, Engine
from infra.scripts.migration.forward import Forward
from infra.scripts.migration.journal import BACK, FORWARD, MIGRATED, Journal, Locked, State
from infra.scripts.migration.options import Options
from infra.scripts.migration.outcomes import ClientsRemain, Refused, RollbackIncomplete, Unfit
from infra.scripts.migration.sides import Sides


class Run:
    """Holds what all parts share."""

    def __init__(self, options: Options, console: Console) -> None:
        self._options = options
        self._say = console.say
        self._console = console
        self._journal = Journal(options.state_dir)

    def code(self) -> int:
        """Do what was asked for; the answer is the exit code."""
        try:
            compose = self._compose()
            if self._options.dry_run:
                return self._dry_run(compose)
            with self._journal.held():
                return self._locked(compose)
        except Locked:
            self._say(f"Another run is at work with {self._options.state_dir}.")
            return outcomes.LOCKED
        except Refused as error:
            self._say(str(error))
            return outcomes.FAILED
        except CommandFailed as error:
            self._say(f"{error}. The same call goes on where this one ended.")
            return outcomes.FAILED

    def _compose(self) -> Compose:
        if fault := engine.engine_fault():
            raise Refused(fault)
        command = self._options.compose_command or find_compose()
        return Compose(command, self._options.compose_options)

    def _sides(self, compose: Compose) -> Sides:
        try:
            project = compose.project()
        except CommandFailed as error:
            raise Refused(f"No monolith in this compose project: {error}.") from None
        return Sides(Engine(project), compose, self._console)

    def _dry_run(self, compose: Compose) -> int:
        state = self._journal.state()
        self._say(f"Nothing is changed. Journal: {self._journal.path} ({state.phase}).")
        sides = self._sides(compose)
        steps = ["check: " + ", ".join(name for name, _ in preflight.checks(sides, {}))]
        steps += [step.what for step in Forward(sides, self._options).steps()]
        for number, what in enumerate(steps, 1):
            self._say(f"{number}. {what}")
        self._say("When the pair does worse, or with --rollback:")
        for number, what in enumerate(PLAN, 1):
            self._say(f"{number}. {what}")
        if state.phase not in (FORWARD, BACK, MIGRATED):
            self._preflight(sides)
        return outcomes.DONE

    def _locked(self, compose: Compose) -> int:
        state = self._journal.state()
        sides = self._sides(compose)
        if self._options.rollback or state.phase == BACK:
            return self._back(sides, state)
        if state.phase == MIGRATED:
            self._say("The migration is done already (--rollback goes back).")
            return outcomes.DONE
        if state.phase == FORWARD:
            self._say(f"Going on with the migration in {self._journal.path}.")
        else:
            self._begin(sides)
            state = self._journal.state()
        return self._forward(sides, state)

    def _begin(self, sides: Sides) -> None:
        try:
            self._preflight(sides)
        except Refused as error:
            self._journal.write("preflight", "failed", reason=str(error))
            raise
        if not self._options.yes and not self._console.agreed(
            "Start the pair, move over and stop the monolith?"
        ):
            raise Refused("Nothing was changed.")
        self._journal.write("migration", "begun")
        self._journal.write("preflight", "done")

    def _preflight(self, sides: Sides) -> None:
        try:
            declared = sides.compose.declared()
        except (CommandFailed, KeyError, ValueError) as error:
            raise Refused(f"The compose files are not as they should be: {error}") from None
        for name, check in preflight.checks(sides, declared):
            if fault := check():
                raise Refused(fault)
            self._say(f"  ok: {name}")

    def _forward(self, sides: Sides, state: State) -> int:
        steps = Forward(sides, self._options).steps()
        for number, step in enumerate(steps, 1):
            if step.name in state.done:
                continue
            self._say(f"{number} of {len(steps)}: {step.what}")
            self._journal.write(step.name, "begun")
            try:
                facts = step.run(state.facts) or {}
            except Unfit as error:
                self._journal.write(step.name, "failed", reason=str(error))
                self._say(f"Going back: {error}.")
                self._journal.write("rollback", "begun", reason=str(error), automatic=True)
                return self._back(sides, self._journal.state())
            except ClientsRemain as error:
                self._journal.write(step.name, "waits", reason=str(error))
                self._say(f"{error}, then run this again. Both serve meanwhile.")
                return outcomes.CLIENTS_REMAIN
            except (Refused, CommandFailed) as error:
                self._journal.write(step.name, "failed", reason=str(error))
                raise
            self._journal.write(step.name, "done", facts=dict(facts))
            state.facts.update(facts)
        self._journal.write("migration", "done")
        self._say("Done. The monolith is stopped and kept; --rollback starts it again.")
        return outcomes.DONE

    def _back(self, sides: Sides, state: State) -> int:
        if state.phase != BACK:
            if not self._options.yes and not self._console.agreed("Go back to the monolith?"):
                raise Refused("Nothing was changed.")
            self._journal.write("rollback", "begun", reason="asked for", automatic=False)
        # Without a word about a switch nobody was sent away; without a journal nobody knows.
        switched = "switch" in state.begun or not state.begun
        try:
            Back(sides, self._options, self._journal).run(switched)
        except ClientsRemain as error:
            self._journal.write("rollback", "waits", reason=str(error))
            self._say(f"{error}, then run this again.")
            return outcomes.CLIENTS_REMAIN
        except RollbackIncomplete as error:
            self._journal.write("rollback", "failed", reason=str(error))
            self._say(f"{error} The pair was left as it is. Mend it and run this again.")
            return outcomes.ROLLBACK_INCOMPLETE
        self._journal.write("rollback", "done")
        self._say("Back on the monolith; the pair is stopped and kept, no data was touched.")
        automatic = state.automatic and not self._options.rollback
        return outcomes.ROLLED_BACK if automatic else outcomes.DONE
