"""Counters of a /metrics answer."""

from __future__ import annotations

from infra.scripts.migration.service import Counters, counters_in, processed_in

TEXT = """\
# HELP explain_http_request_duration_seconds HTTP requests
# TYPE explain_http_request_duration_seconds histogram
explain_http_request_duration_seconds_bucket{le="0.1",method="POST",route="/v1/rag/search",status="200"} 90.0
explain_http_request_duration_seconds_count{method="POST",route="/v1/rag/search",status="200"} 95.0
explain_http_request_duration_seconds_count{method="POST",route="/v1/rag/search",status="503"} 5.0
explain_http_request_duration_seconds_count{method="PUT",route="/v1/templates/{template_id}",status="422"} 2.0
explain_http_request_duration_seconds_count{method="GET",route="/health",status="200"} 1000.0
explain_http_request_duration_seconds_count{method="GET",route="/v1/rag/status",status="200"} 40.0
explain_http_request_duration_seconds_sum{method="GET",route="/health",status="200"} 1.5
process_memory_limit_bytes +Inf
embed_events_total{op="upsert",outcome="indexed"} 7.0
embed_events_total{op="upsert",outcome="failed"} 100.0
embed_events_total{op="delete",outcome="removed"} 1.0
"""  # noqa: E501


def test_requests_errors_and_clients() -> None:
    assert counters_in(TEXT) == Counters(requests=1142, errors=5, of_clients=102)


def test_failed_events_are_not_processed() -> None:
    assert processed_in(TEXT) == 8


def test_nothing_is_nothing() -> None:
    assert counters_in("") == Counters(0, 0, 0)
    assert processed_in("") == 0
