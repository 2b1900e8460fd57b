"""One service: who calls it, how it answers, its versions, its logs and traces."""

from __future__ import annotations

from grafana_foundation_sdk.models import dashboard as models

from .panels import (
    GOOD_TO_BAD_ERRORS,
    GOOD_TO_BAD_MILLISECONDS,
    board,
    chart,
    choice,
    failed,
    log_lines,
    now,
    number,
    query,
    traces,
)

SERVICE = 'destination_service_namespace="$namespace", destination_service_name="$service"'
CALLS = f'istio_requests_total{{reporter="source", {SERVICE}'
BUCKETS = f'istio_request_duration_milliseconds_bucket{{reporter="source", {SERVICE}'


def dashboard() -> models.Dashboard:
    """As its callers see it."""
    return board(
        "service",
        "Service",
        "One service as its callers see it.",
        [
            choice(
                "namespace",
                "Namespace",
                "label_values(service:istio_requests:rate5m, destination_service_namespace)",
                "restaurant-management",
            ),
            choice(
                "service",
                "Service",
                'label_values(service:istio_requests:rate5m{destination_service_namespace="$namespace"},'
                " destination_service_name)",
                "order-service",
            ),
        ],
        {
            "": [
                number("Requests", "reqps", now(f"service:istio_requests:rate5m{{{SERVICE}}}"), width=6),
                number(
                    "Errors",
                    "percentunit",
                    now(f"service:istio_requests_error:ratio_rate5m{{{SERVICE}}}"),
                    steps=GOOD_TO_BAD_ERRORS,
                    width=6,
                    about="Answers with 5xx or a gRPC error. HighErrorRate fires above 5%.",
                ),
                number(
                    "P95",
                    "ms",
                    now(f"service:istio_request_duration_milliseconds:p95_rate5m{{{SERVICE}}}"),
                    steps=GOOD_TO_BAD_MILLISECONDS,
                    width=6,
                    about="HighLatency fires above 1000 ms.",
                ),
                number(
                    "Pods available",
                    "short",
                    now(
                        "sum(max by (deployment) (kube_deployment_status_replicas_available"
                        '{namespace="$namespace", deployment=~"$service(-v2)?"}))'
                    ),
                    width=6,
                    steps=((None, "red"), (1, "green")),
                    about="Of both slots.",
                ),
                chart(
                    "Requests by answer",
                    "reqps",
                    query(f"sum by (response_code) (rate({CALLS}}}[5m]))", "{{response_code}}"),
                    stacked=True,
                ),
                chart(
                    "Latency",
                    "ms",
                    *(
                        query(
                            f"service:istio_request_duration_milliseconds:{name}_rate5m{{{SERVICE}}}", name.upper(), ref
                        )
                        for ref, name in (("A", "p50"), ("B", "p95"), ("C", "p99"))
                    ),
                ),
                chart(
                    "Requests by caller",
                    "reqps",
                    query(f"sum by (source_workload) (rate({CALLS}}}[5m]))", "{{source_workload}}"),
                ),
                chart(
                    "Errors", "percentunit", query(f"service:istio_requests_error:ratio_rate5m{{{SERVICE}}}", "errors")
                ),
            ],
            "Versions": [
                chart(
                    "Requests by version",
                    "reqps",
                    query(f"sum by (destination_version) (rate({CALLS}}}[5m]))", "{{destination_version}}"),
                    stacked=True,
                    width=8,
                    about="During a canary both slots have requests, by their weights.",
                ),
                chart(
                    "Errors by version",
                    "percentunit",
                    query(
                        f"(sum by (destination_version) {failed(CALLS, 'rate', '5m')}"
                        f" or sum by (destination_version) (rate({CALLS}}}[5m])) * 0)"
                        f" / (sum by (destination_version) (rate({CALLS}}}[5m])) > 0)",
                        "{{destination_version}}",
                    ),
                    width=8,
                ),
                chart(
                    "Latency by version (P95)",
                    "ms",
                    query(
                        f"histogram_quantile(0.95, sum by (destination_version, le) (rate({BUCKETS}}}[5m]))) >= 0",
                        "{{destination_version}}",
                    ),
                    width=8,
                ),
            ],
            "Logs and traces": [
                log_lines(
                    "Logs",
                    '{namespace="$namespace", app="$service"}',
                    about="A trace id in a line leads to its trace.",
                ),
                traces("Traces", "$service.$namespace", about="The latest; each is a link."),
            ],
        },
    )
