"""Every metric of the service; each object bears the name under which it is exposed.

No label carries an id: the number of series is bounded by routes, outcomes and stages.
"""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from explanation_service.telemetry.memory_limit import memory_limit_bytes

# A registry of our own: tests and the legacy mode (worker inside the API) share no global state
# with whatever else a library registers.
REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)
# Beside process_resident_memory_bytes, which ProcessCollector counts; infinite without a limit.
process_memory_limit_bytes = Gauge(
    "process_memory_limit_bytes", "Memory that the cgroup allows this process", registry=REGISTRY
)
process_memory_limit_bytes.set(memory_limit_bytes())

# Seconds. The request path lives between 5 ms and the language model's 2 s; freshness (event to
# searchable) between 0.1 s and the minutes after an outage.
_REQUEST_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 3, 5, 10)
_QUERY_BUCKETS = (0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1)
_STAGE_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_AGE_BUCKETS = (0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 30, 60, 300, 1800)
_TOKEN_BUCKETS = (16, 32, 64, 128, 256, 384, 512, 1024, 2048, 8192)
_RATIO_BUCKETS = (0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1)

# --- the API -------------------------------------------------------------------------------------
explain_http_request_duration_seconds = Histogram(
    "explain_http_request_duration_seconds",
    "HTTP requests by route template, method and status code",
    ("route", "method", "status"),
    buckets=_REQUEST_BUCKETS,
    registry=REGISTRY,
)
explain_explanations_total = Counter(
    "explain_explanations_total",
    "Explanations by where they came from: llm, cache, stale-cache, rules, error",
    ("outcome",),
    registry=REGISTRY,
)
explain_llm_request_duration_seconds = Histogram(
    "explain_llm_request_duration_seconds",
    "Calls of the language model, retries included",
    ("model", "outcome"),
    buckets=_REQUEST_BUCKETS,
    registry=REGISTRY,
)
explain_llm_tokens_total = Counter(
    "explain_llm_tokens_total",
    "Tokens charged by the language model: prompt, completion",
    ("kind",),
    registry=REGISTRY,
)
explain_llm_inflight = Gauge(
    "explain_llm_inflight", "Calls of the language model under way here", registry=REGISTRY
)
explain_circuit_state = Gauge(
    "explain_circuit_state",
    "Circuit breaker of the language model: 0 closed, 1 half open, 2 open",
    registry=REGISTRY,
)
explain_rag_search_total = Counter(
    "explain_rag_search_total",
    "Searches by mode (hybrid, dense, lexical) and whether they were degraded (true, false)",
    ("mode", "degraded"),
    registry=REGISTRY,
)
explain_query_embedding_seconds = Histogram(
    "explain_query_embedding_seconds",
    "Time to get the vector of a query, by source: lru, redis, worker, miss",
    ("source",),
    buckets=_QUERY_BUCKETS,
    registry=REGISTRY,
)

# --- the worker ----------------------------------------------------------------------------------
embed_events_total = Counter(
    "embed_events_total",
    "Events finished, by operation (upsert, delete) and outcome",
    ("op", "outcome"),
    registry=REGISTRY,
)
embed_event_age_seconds = Histogram(
    "embed_event_age_seconds",
    "From the write of a template to the moment it is searchable",
    buckets=_AGE_BUCKETS,
    registry=REGISTRY,
)
embed_stage_seconds = Histogram(
    "embed_stage_seconds",
    "Time of one batch in one stage: fetch, chunk, encode, upsert",
    ("stage",),
    buckets=_STAGE_BUCKETS,
    registry=REGISTRY,
)
embed_batch_tokens = Histogram(
    "embed_batch_tokens",
    "Tokens of one encoder batch, padding included",
    buckets=_TOKEN_BUCKETS,
    registry=REGISTRY,
)
embed_padding_ratio = Histogram(
    "embed_padding_ratio",
    "Share of padding among the tokens of one encoder batch",
    buckets=_RATIO_BUCKETS,
    registry=REGISTRY,
)
embed_cut_texts_total = Counter(
    "embed_cut_texts_total",
    "Texts of which the model did not get the end: title, passage, query",
    ("kind",),
    registry=REGISTRY,
)
embed_stream_lag = Gauge(
    "embed_stream_lag", "Entries of the stream not yet delivered to the group", registry=REGISTRY
)
embed_stream_pending = Gauge(
    "embed_stream_pending", "Entries delivered and not acknowledged", registry=REGISTRY
)
embed_oldest_pending_seconds = Gauge(
    "embed_oldest_pending_seconds", "Age of the oldest pending entry", registry=REGISTRY
)
embed_dead_lettered_total = Counter(
    "embed_dead_lettered_total", "Entries set aside", ("reason",), registry=REGISTRY
)
embed_skipped_total = Counter(
    "embed_skipped_total",
    "Entries that needed no embedding, by reason (current, unchanged, relabelled, ...)",
    ("reason",),
    registry=REGISTRY,
)
embed_relayed_total = Counter(
    "embed_relayed_total",
    "Events made for changes that others wrote into MongoDB, by how they were learnt: "
    "change_stream, polling",
    ("source",),
    registry=REGISTRY,
)
embed_relay_leader = Gauge(
    "embed_relay_leader", "1 on the worker that relays changes and reconciles", registry=REGISTRY
)
embed_reconcile_findings_total = Counter(
    "embed_reconcile_findings_total",
    "Templates that differed between rule book and index: missing, stale, orphaned, incomplete",
    ("kind",),
    registry=REGISTRY,
)
embed_reconcile_last_success_timestamp_seconds = Gauge(
    "embed_reconcile_last_success_timestamp_seconds",
    "When this worker last compared all of rule book and index; 0 for never",
    registry=REGISTRY,
)
embed_reconcile_duration_seconds = Gauge(
    "embed_reconcile_duration_seconds", "How long that comparison took", registry=REGISTRY
)
embed_model_info = Info(
    "embed_model", "The model that is loaded: model, revision", registry=REGISTRY
)
embed_worker_ready = Gauge(
    "embed_worker_ready", "1 once the model is warm and the stores answer", registry=REGISTRY
)


def render() -> tuple[bytes, str]:
    """The body and the content type of a /metrics answer."""
    return generate_latest(REGISTRY), CONTENT_TYPE_LATEST
