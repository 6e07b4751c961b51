"""The 95 Russian grammar rules of the package mawo-grammar (MIT) as templates.

Its data files are read where the package lies; the package itself is not imported, because its
import loads a morphological dictionary.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from explanation_service.content.template import TemplateDraft

# What pupils know the package's categories as.
_TOPICS = {
    "agreement": "Согласование",
    "aspect": "Вид глагола",
    "grammar": "Грамматика",
    "orthography": "Орфография",
    "particles": "Частицы",
    "prepositions": "Предлоги",
    "punctuation": "Пунктуация",
    "style": "Стилистика",
}
# One id of the package has Cyrillic letters among the Latin ones.
_ID_LETTERS = str.maketrans("авекмнорстух_", "abekmhopctyx-")
_RIGHT = ("correct", "better")
_WRONG = ("incorrect", "wrong")


class GrammarMissing(Exception):
    """The package mawo-grammar, or PyYAML to read it, is not installed."""


def read_mawo_grammar() -> Iterator[tuple[str, TemplateDraft]]:
    """Ids (`mawo-...`) and drafts of all rules; raises GrammarMissing."""
    spec = find_spec("mawo_grammar")
    if spec is None or spec.origin is None:
        raise GrammarMissing("The package mawo-grammar is not installed.")
    try:
        import yaml
    except ImportError:
        raise GrammarMissing("The package PyYAML, which reads mawo-grammar, is missing.") from None
    for path in sorted((Path(spec.origin).parent / "data").glob("*.yml")):
        sections = yaml.safe_load(path.read_text(encoding="utf-8"))
        for section in sections.values():
            # "metadata" is a mapping; every other section is a list of rules.
            if isinstance(section, list):
                yield from (_template(rule) for rule in section)


def _template(rule: dict[str, Any]) -> tuple[str, TemplateDraft]:
    examples = [
        pattern["examples"]
        for pattern in rule.get("patterns") or []
        if isinstance(pattern, dict) and isinstance(pattern.get("examples"), dict)
    ]
    parts = [rule["explanation"].strip()]
    for heading, names in (("Правильно", _RIGHT), ("Неправильно", _WRONG)):
        texts = [text for row in examples for name in names for text in _texts(row.get(name))]
        if texts:
            parts.append(f"{heading}: {'; '.join(texts)}.")
    draft = TemplateDraft(
        title=rule["description"].strip(),
        body="\n\n".join(parts),
        topic=_TOPICS.get(rule["category"], rule["category"]),
        tags=(rule["category"], rule["subcategory"]),
    )
    return f"mawo-{rule['id'].lower().translate(_ID_LETTERS)}", draft


def _texts(value: Any) -> list[str]:
    if value is None:
        return []
    return [str(text).strip() for text in (value if isinstance(value, list) else [value])]
