"""What a comparison of rule book and index found."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from explanation_service.reconciliation.findings import Finding, Kind

# Ids kept of each kind, for a message or a table.
MOST_EXAMPLES = 5


@dataclass(slots=True)
class Report:
    """Counts, and a few ids of each kind; its size does not grow with what was compared.

    `by_content` is False where only versions could be compared; `events` is how many were put into
    the stream, `invalid` how many documents are no templates and so are rightly not searchable.
    """

    by_content: bool
    templates: int = 0
    passages: int = 0
    invalid: int = 0
    events: int = 0
    seconds: float = 0.0
    counts: Counter[Kind] = field(default_factory=Counter)
    examples: dict[Kind, list[str]] = field(default_factory=dict)

    @property
    def found(self) -> int:
        """How many templates differ."""
        return self.counts.total()

    def note(self, finding: Finding) -> None:
        """Count a finding."""
        self.counts[finding.kind] += 1
        examples = self.examples.setdefault(finding.kind, [])
        if len(examples) < MOST_EXAMPLES:
            examples.append(finding.template_id)
