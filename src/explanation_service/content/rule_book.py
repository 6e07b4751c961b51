"""The rule book: a write and its event cannot come apart.

The event of a write lies in the template's own document (its outbox) until it is in the stream.
Whoever dies in between leaves it there, and `publish_pending` of any process brings it home; an
event published twice is harmless.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from explanation_service.content.events import ContentEvent
from explanation_service.content.template import Template, TemplateDraft
from explanation_service.stores.errors import ConditionFailed, StoreError
from explanation_service.stores.event_stream import EventStream
from explanation_service.stores.mongodb import TemplateRepository
from explanation_service.stores.write_condition import ANY_STATE, WriteCondition
from explanation_service.telemetry import request_context
from explanation_service.telemetry.logging import get_logger

log = get_logger(__name__)

# Old enough that its writer, which publishes at once, is dead or cannot reach Redis.
_OUTBOX_AGE = timedelta(seconds=2)
_SWEEP_BATCH = 500


class TemplateNotFound(LookupError):
    """There is no template with this id, or it was deleted."""

    def __init__(self, template_id: str) -> None:
        super().__init__(f"There is no template {template_id}.")
        self.template_id = template_id


class PreconditionFailed(Exception):
    """The template is not in the state that its writer asked for; `version` is the one it has,
    None when there is none."""

    def __init__(self, template_id: str, version: int | None) -> None:
        now = "does not exist" if version is None else f"is at version {version}"
        super().__init__(f"Template {template_id} {now}.")
        self.template_id, self.version = template_id, version


class RuleBook:
    """Every method raises StoreUnavailable when MongoDB does not serve; Redis may be away."""

    def __init__(self, repository: TemplateRepository, stream: EventStream) -> None:
        self._repository = repository
        self._stream = stream

    async def put(
        self, template_id: str, draft: TemplateDraft, condition: WriteCondition = ANY_STATE
    ) -> tuple[Template, bool]:
        """Write a template; True when the id was free before. A deleted id goes on counting.

        Raises PreconditionFailed when the condition does not hold.
        """
        try:
            write = await self._repository.put(
                template_id,
                draft,
                traceparent=request_context.traceparent.get(),
                condition=condition,
            )
        except ConditionFailed:
            raise await self._precondition_failed(template_id) from None
        await self._publish(write.event)
        return write.template, write.created

    async def get(self, template_id: str) -> Template:
        """The template; raises TemplateNotFound."""
        stored = await self._repository.get(template_id)
        if stored is None or stored.template is None:
            if stored is not None and stored.fault:
                log.warning("document is no template", template_id=template_id, why=stored.fault)
            raise TemplateNotFound(template_id)
        return stored.template

    async def get_many(self, template_ids: list[str]) -> dict[str, Template]:
        """Those of the templates that exist, in one round trip."""
        found = await self._repository.get_many(template_ids)
        return {key: stored.template for key, stored in found.items() if stored.template}

    async def current(self, template_ids: Sequence[str]) -> dict[str, Template | None]:
        """What stands under each id now, in one round trip: None for a rule that was deleted or is
        a draft; ids that were never used are left out."""
        found = await self._repository.get_many(template_ids)
        return {
            key: stored.template if stored.template and stored.template.status != "draft" else None
            for key, stored in found.items()
            if stored.template or stored.deleted
        }

    async def delete(self, template_id: str, condition: WriteCondition = ANY_STATE) -> None:
        """Delete a template; raises TemplateNotFound when there is none (any more), and
        PreconditionFailed when the condition does not hold."""
        try:
            event = await self._repository.mark_deleted(
                template_id, traceparent=request_context.traceparent.get(), condition=condition
            )
        except ConditionFailed:
            raise await self._precondition_failed(template_id) from None
        if event is None:
            raise TemplateNotFound(template_id)
        await self._publish(event)

    async def page(self, after: str | None, limit: int) -> tuple[list[Template], str | None]:
        """Up to `limit` templates, drafts included, by id, with ids above `after`; and after which
        id the next page begins, None on the last one."""
        templates, following = await self._repository.page(after, limit)
        return [*templates], following

    async def publish_pending(self) -> int:
        """Publish events whose writer did not come to it; how many. Raises StoreUnavailable when
        Redis does not serve either."""
        published = 0
        while True:
            events = await self._repository.pending_outbox(_OUTBOX_AGE, _SWEEP_BATCH)
            if events:
                await self._stream.append_many(events)
                for event in events:
                    await self._repository.clear_outbox(event.entity_id, event.event_id)
            published += len(events)
            if len(events) < _SWEEP_BATCH:
                return published

    async def _precondition_failed(self, template_id: str) -> PreconditionFailed:
        stored = await self._repository.get(template_id)
        alive = stored is not None and not stored.deleted
        return PreconditionFailed(template_id, stored.version if stored and alive else None)

    async def _publish(self, event: ContentEvent) -> None:
        """The write is safe already, so nothing here may fail the caller: the sweep comes later."""
        try:
            await self._stream.append(event)
            await self._repository.clear_outbox(event.entity_id, event.event_id)
        except StoreError as error:
            log.warning(
                "event stays in the outbox",
                template_id=event.entity_id,
                event_id=event.event_id,
                why=str(error),
            )
