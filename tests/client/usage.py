"""What a program of a client looks like, on the client that is generated from the OpenAPI document.

It is type-checked, and run against a service: `python usage.py URL`. Prints what came back, as one
JSON object.
"""

from __future__ import annotations

import json
import sys
from io import BytesIO

from explanation_client import AuthenticatedClient
from explanation_client.api.explanations import explain
from explanation_client.api.index import read_status, reindex
from explanation_client.api.search import search
from explanation_client.api.templates import (
    delete_template,
    import_templates,
    list_templates,
    read_template,
    write_template,
)
from explanation_client.models.explanation_body import ExplanationBody
from explanation_client.models.explanation_response import ExplanationResponse
from explanation_client.models.filters import Filters
from explanation_client.models.import_report import ImportReport
from explanation_client.models.problem import Problem
from explanation_client.models.rag_status import RagStatus
from explanation_client.models.reindex_request import ReindexRequest
from explanation_client.models.reindex_response import ReindexResponse
from explanation_client.models.search_request import SearchRequest
from explanation_client.models.search_request_mode import SearchRequestMode
from explanation_client.models.search_response import SearchResponse
from explanation_client.models.template import Template
from explanation_client.models.template_draft import TemplateDraft
from explanation_client.models.template_page import TemplatePage
from explanation_client.models.write_template_if_none_match import WriteTemplateIfNoneMatch
from explanation_client.types import File, Response
from httpx import Timeout

RULE = "ne-s-glagolami"


def found(client: AuthenticatedClient) -> list[tuple[str, float]]:
    """Ids and scores of the rules that a question finds."""
    body = SearchRequest(
        query="частица не с глаголами",
        limit=3,
        filters=Filters(exam="oge"),
        mode=SearchRequestMode.LEXICAL,
    )
    answer = search.sync(client=client, body=body)
    if not isinstance(answer, SearchResponse):
        raise SystemExit(f"search: {answer}")
    return [(hit.template_id, hit.score) for hit in answer.hits]


def explained(client: AuthenticatedClient) -> str:
    """Where the explanation came from."""
    body = ExplanationBody(question="Как пишется: (не)знал?", student_answer="незнал")
    answer = explain.sync(client=client, body=body)
    if not isinstance(answer, ExplanationResponse):
        raise SystemExit(f"explain: {answer}")
    return answer.source.value


def written(
    client: AuthenticatedClient, body: str, version: int | None
) -> Response[Problem | Template]:
    """Writes a rule, if it is at this version; None: if there is none."""
    draft = TemplateDraft(title="Частица «не» с глаголами", body=body, exam="oge")
    if version is None:
        new = WriteTemplateIfNoneMatch.VALUE_0
        return write_template.sync_detailed(RULE, client=client, body=draft, if_none_match=new)
    return write_template.sync_detailed(RULE, client=client, body=draft, if_match=f'"{version}"')


def edited(client: AuthenticatedClient) -> list[int]:
    """The versions of a rule that is created, changed, and changed by somebody who is late."""
    versions = []
    for expected in (None, 1):
        answer = written(client, f"Пишется раздельно: не знал. {expected}", expected)
        if not isinstance(answer.parsed, Template):
            raise SystemExit(f"write: {answer}")
        if answer.headers["ETag"] != f'"{answer.parsed.version}"':
            raise SystemExit(f"write: {answer.headers}")
        versions.append(answer.parsed.version)
    late = written(client, "Пишется слитно.", 1)
    if late.status_code != 412 or not isinstance(late.parsed, Problem):
        raise SystemExit(f"late write: {late}")
    unchanged = read_template.sync_detailed(RULE, client=client, if_none_match='"2"')
    if unchanged.status_code != 304:
        raise SystemExit(f"read: {unchanged}")
    return versions


def listed(client: AuthenticatedClient) -> list[str]:
    """Ids of the first page, after an import of one more rule."""
    line = json.dumps({"id": "tire", "title": "Тире", "body": "Между подлежащим и сказуемым."})
    report = import_templates.sync(client=client, body=File(payload=BytesIO(line.encode())))
    if not isinstance(report, ImportReport):
        raise SystemExit(f"import: {report}")
    page = list_templates.sync(client=client, limit=10)
    if not isinstance(page, TemplatePage):
        raise SystemExit(f"list: {page}")
    return [template.id for template in page.items]


def removed(client: AuthenticatedClient) -> int:
    """The status of a deletion of the version that was read."""
    current = read_template.sync(RULE, client=client)
    if not isinstance(current, Template):
        raise SystemExit(f"read: {current}")
    etag = f'"{current.version}"'
    return delete_template.sync_detailed(RULE, client=client, if_match=etag).status_code


def queued(client: AuthenticatedClient) -> tuple[int, int]:
    """Events that a reindexing makes, and those in the stream."""
    answer = reindex.sync(client=client, body=ReindexRequest(template_ids=["tire"]))
    status = read_status.sync(client=client)
    if not isinstance(answer, ReindexResponse) or not isinstance(status, RagStatus):
        raise SystemExit(f"reindex: {answer}, {status}")
    return answer.enqueued, status.stream_length or 0


def main(url: str) -> None:
    with AuthenticatedClient(base_url=url, token="any", timeout=Timeout(60)) as client:
        print(
            json.dumps(
                {
                    "versions": edited(client),
                    "listed": listed(client),
                    "found": found(client),
                    "source": explained(client),
                    "queued": queued(client),
                    "removed": removed(client),
                }
            )
        )


if __name__ == "__main__":
    main(sys.argv[1])
