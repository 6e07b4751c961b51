from __future__ import annotations

import re

from explanation_service.telemetry import metrics

# The list that dashboards and alerts are written against.
NAMES = {
    "explain_http_request_duration_seconds",
    "explain_explanations_total",
    "explain_llm_request_duration_seconds",
    "explain_llm_tokens_total",
    "explain_llm_inflight",
    "explain_circuit_state",
    "explain_rag_search_total",
    "explain_query_embedding_seconds",
    "embed_events_total",
    "embed_event_age_seconds",
    "embed_stage_seconds",
    "embed_batch_tokens",
    "embed_padding_ratio",
    "embed_stream_lag",
    "embed_stream_pending",
    "embed_oldest_pending_seconds",
    "embed_dead_lettered_total",
    "embed_skipped_total",
    "embed_relayed_total",
    "embed_relay_leader",
    "embed_reconcile_findings_total",
    "embed_reconcile_last_success_timestamp_seconds",
    "embed_reconcile_duration_seconds",
    "embed_cut_texts_total",
    "embed_model_info",
    "embed_worker_ready",
}


def exposed() -> str:
    body, content_type = metrics.render()
    assert content_type.startswith("text/plain")
    return body.decode()


def test_every_metric_bears_the_name_of_its_object() -> None:
    text = exposed()
    for name in NAMES:
        assert hasattr(metrics, name), name
        assert re.search(rf"^# TYPE {name} ", text, re.M), name
    ours = set(re.findall(r"^# TYPE ((?:explain|embed)_\w+) ", text, re.M))
    assert {name for name in ours if not name.endswith("_created")} == NAMES


def test_labels_are_those_of_the_list() -> None:
    metrics.explain_http_request_duration_seconds.labels("/x", "GET", "200").observe(0.01)
    metrics.explain_rag_search_total.labels("hybrid", "false").inc()
    metrics.embed_model_info.info({"model": "m", "revision": "r"})
    text = exposed()
    assert (
        'explain_http_request_duration_seconds_count{method="GET",route="/x",status="200"}' in text
    )
    assert 'explain_rag_search_total{degraded="false",mode="hybrid"}' in text
    assert 'embed_model_info{model="m",revision="r"} 1.0' in text
    assert "process_resident_memory_bytes" in text
