"""The mesh as a whole: traffic, control plane, certificates."""

from __future__ import annotations

from grafana_foundation_sdk.models import dashboard as models

from .panels import (
    GOOD_TO_BAD_ERRORS,
    board,
    chart,
    column,
    grid,
    now,
    number,
    query,
    to_dashboard,
)

BY = "by (destination_service_namespace, destination_service_name)"


def dashboard() -> models.Dashboard:
    """All services in one table, and what istiod does."""
    services = grid(
        "Services",
        "destination_service_name",
        {
            "A": ("Requests", "reqps"),
            "B": ("Errors", "percentunit"),
            "C": ("P50", "ms"),
            "D": ("P95", "ms"),
            "E": ("P99", "ms"),
        },
        column(f"sum {BY} (service:istio_requests:rate5m)", "A"),
        column(f"sum {BY} (service:istio_requests_error:ratio_rate5m)", "B"),
        *(
            column(f"sum {BY} (service:istio_request_duration_milliseconds:{quantile}_rate5m)", ref)
            for ref, quantile in (("C", "p50"), ("D", "p95"), ("E", "p99"))
        ),
        about="Each service that was called in the last 5 minutes, as its callers saw it.",
        height=10,
    )
    to_service = to_dashboard(
        "Dashboard of ${__value.text}",
        "service",
        namespace="${__data.fields.Namespace}",
        service="${__data.fields.Service}",
    ).build()
    services.override_by_name(
        "Service", [models.DynamicConfigValue("links", [{"title": to_service.title, "url": to_service.url}])]
    )
    rejects = "sum by (type) (increase(pilot_total_xds_rejects[5m])) or vector(0)"
    return board(
        "mesh",
        "Mesh",
        "Traffic of all services, and the control plane.",
        [],
        {
            "": [
                number("Requests", "reqps", now("sum(service:istio_requests:rate5m)"), width=4),
                number(
                    "Errors",
                    "percentunit",
                    now("sum(service:istio_requests_failed:rate5m) / (sum(service:istio_requests:rate5m) > 0)"),
                    steps=GOOD_TO_BAD_ERRORS,
                    about="Answers with 5xx or a gRPC error.",
                ),
                number("Services called", "short", now("count(service:istio_requests:rate5m > 0)")),
                number("Proxies connected", "short", now("sum(pilot_xds)"), about="To any istiod."),
                number(
                    "istiods",
                    "short",
                    now('count(istio_build{component="pilot"})'),
                    steps=((None, "red"), (1, "green")),
                ),
                number(
                    "Root certificate",
                    "dtdurations",
                    now("min(citadel_server_root_cert_expiry_timestamp) - time()"),
                    steps=((None, "red"), (30 * 86400, "green")),
                    about="Until the certificate of the mesh's CA expires.",
                ),
                services,
            ],
            "Traffic": [
                chart(
                    "Requests",
                    "reqps",
                    query("service:istio_requests:rate5m", "{{destination_service_name}}"),
                    stacked=True,
                ),
                chart(
                    "Errors",
                    "percentunit",
                    query("service:istio_requests_error:ratio_rate5m", "{{destination_service_name}}"),
                ),
                chart(
                    "Latency (P95)",
                    "ms",
                    query("service:istio_request_duration_milliseconds:p95_rate5m", "{{destination_service_name}}"),
                ),
                chart(
                    "Answers",
                    "reqps",
                    query(
                        'sum by (response_code) (rate(istio_requests_total{reporter="source"}[5m]))',
                        "{{response_code}}",
                    ),
                    stacked=True,
                ),
            ],
            "Control plane": [
                chart("Pushes", "ops", query("sum by (type) (rate(pilot_xds_pushes[5m]))", "{{type}}"), width=8),
                chart(
                    "A change reaches the proxies",
                    "s",
                    *(
                        query(
                            f"histogram_quantile({share}, "
                            "sum by (le) (rate(pilot_proxy_convergence_time_bucket[5m]))) >= 0",
                            f"P{share * 100:.0f}",
                            ref,
                        )
                        for ref, share in (("A", 0.5), ("B", 0.99))
                    ),
                    width=8,
                    about="Without changes there is nothing to measure.",
                ),
                chart("Refused by proxies", "short", query(rejects, "{{type}}"), width=8),
                chart(
                    "Sidecars injected",
                    "short",
                    query("sum(increase(sidecar_injection_success_total[5m]))", "injected"),
                    query("sum(increase(sidecar_injection_failure_total[5m])) or vector(0)", "failed", "B"),
                    width=8,
                ),
                chart(
                    "Istio objects checked",
                    "short",
                    query("sum(increase(galley_validation_passed[5m])) or vector(0)", "accepted"),
                    query("sum(increase(galley_validation_failed[5m])) or vector(0)", "refused", "B"),
                    width=8,
                ),
                chart(
                    "Workload certificates",
                    "s",
                    query('min(istio_agent_cert_expiry_seconds{resource_name="default"})', "shortest time left"),
                    width=8,
                    about="They last 24 hours and are renewed after 12.",
                ),
            ],
        },
    )
