"""The restaurant's own dashboard, laid out as the design document draws it."""

from __future__ import annotations

from grafana_foundation_sdk.builders import stat
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.common import BigValueTextMode

from .panels import (
    board,
    chart,
    choice,
    column,
    columns,
    entry,
    failed,
    grid,
    log_lines,
    now,
    number,
    options,
    query,
    to_dashboard,
    to_logs,
    trace,
)

NAMESPACE = 'namespace="$namespace"'
HERE = 'destination_service_namespace="$namespace"'
CALLS = f'istio_requests_total{{reporter="source", {HERE}'
BY = "by (destination_service_name)"


def dashboard() -> models.Dashboard:
    """Orders, revenue, users and tables; requests, latency and errors; logs and traces of one request."""
    return board(
        "restaurant",
        "Restaurant",
        "The restaurant's business and how its services answer.",
        [
            choice(
                "namespace", "Namespace", "label_values(restaurant_orders_total, namespace)", "restaurant-management"
            ),
            options("trend", "Compared over", ["24h", "7d", "1h"]),
            entry("trace_id", "Trace id"),
        ],
        {
            "": [
                _counted(
                    "Orders", "short", f"restaurant_orders_total{{{NAMESPACE}}}", "All orders, completed or failed"
                ),
                _counted("Revenue", "currencyUSD", f"restaurant_revenue_total{{{NAMESPACE}}}", "Of completed orders"),
                _measured("Active users", f"restaurant_active_users{{{NAMESPACE}}}", "Users at present"),
                _measured("Tables", f"restaurant_table_occupancy{{{NAMESPACE}}}", "Tables that are taken at present"),
                chart(
                    "Request rate",
                    "reqps",
                    query(
                        "sum(rate(istio_requests_total"
                        '{reporter="source", source_workload="istio-ingressgateway"}[5m]))',
                        "users",
                    ),
                    query(f"sum {BY} (service:istio_requests:rate5m{{{HERE}}})", "{{destination_service_name}}", "B"),
                    about="users: through the ingress gateway. The others: what each service gets from all callers.",
                    width=24,
                ),
                columns(
                    "Response time (P95)",
                    "ms",
                    now(
                        f"service:istio_request_duration_milliseconds:p95_rate5m{{{HERE}}}",
                        "{{destination_service_name}}",
                    ),
                    about="19 of 20 requests of the last 5 minutes were answered within it, as the callers saw it.",
                ),
                _errors(),
            ],
            "One request": [
                log_lines(
                    "Logs",
                    '{namespace="$namespace"} |= "$trace_id"',
                    about="With the trace id above; without one, all. A trace id in a line leads to its trace.",
                ),
                trace("Trace", "$trace_id", about="The trace with the id above."),
            ],
        },
    )


def _counted(title: str, unit: str, counter: str, about: str) -> stat.Panel:
    """A counter's increase over $trend, and by how much it is more than in the time before."""
    present, before = f"sum(increase({counter}[$trend]))", f"sum(increase({counter}[$trend] offset $trend))"
    return _trend(title, unit, present, before, f"{about}, in the last $trend; below, the change to the $trend before.")


def _measured(title: str, gauge: str, about: str) -> stat.Panel:
    """A gauge that every pod of the service reports alike, and its change."""
    return _trend(
        title, "short", f"max({gauge})", f"max({gauge} offset $trend)", f"{about}; below, the change to $trend before."
    )


def _trend(title: str, unit: str, present: str, before: str, about: str) -> stat.Panel:
    change = now(f"{present} / ({before} > 0) - 1", "Change ($trend)", "B")
    panel = number(title, unit, now(present, title), change, about=about, width=6, decimals=0)
    steps = [{"value": None, "color": "red"}, {"value": 0, "color": "green"}]
    panel.text_mode(BigValueTextMode.VALUE_AND_NAME)
    return panel.override_by_query(
        "B",
        [
            models.DynamicConfigValue("unit", "percentunit"),
            models.DynamicConfigValue("noValue", "not known yet"),
            models.DynamicConfigValue("thresholds", {"mode": "absolute", "steps": steps}),
        ],
    )


def _errors() -> object:
    ratio = (
        f"sum {BY} (avg_over_time(service:istio_requests_failed:rate5m{{{HERE}}}[$trend]))"
        f" / (sum {BY} (avg_over_time(service:istio_requests:rate5m{{{HERE}}}[$trend])) > 0)"
    )
    panel = grid(
        "Errors by service",
        "destination_service_name",
        {"A": ("Errors", "short"), "B": ("Rate", "percentunit"), "C": ("Trend", "percentunit")},
        column(
            f"sum {BY} {failed(CALLS, 'increase', '$trend')} or sum {BY} (service:istio_requests:rate5m{{{HERE}}}) * 0",
            "A",
        ),
        column(ratio, "B"),
        column(f"sum {BY} (service:istio_requests_error:ratio_rate5m{{{HERE}}}) - ({ratio})", "C"),
        about="Answers with 5xx or a gRPC error in the last $trend, as the callers saw them. Trend: the last 5 "
        "minutes against that.",
    )
    levels = ((None, 0.001, "Stable", "green"), (0.001, 0.05, "Elevated", "yellow"), (0.05, None, "High", "red"))
    mappings = [
        {
            "type": "range",
            "options": {"from": low, "to": high, "result": {"text": text, "color": color, "index": place}},
        }
        for place, (low, high, text, color) in enumerate(levels)
    ]
    service = "${__data.fields.Service}"
    links = [
        to_dashboard("Dashboard of ${__value.text}", "service", namespace="$namespace", service=service).build(),
        to_logs("Logs of ${__value.text}", f'{{namespace="$namespace", app="{service}"}}').build(),
    ]
    panel.override_by_name(
        "Service", [models.DynamicConfigValue("links", [{"title": one.title, "url": one.url} for one in links])]
    )
    panel.override_by_name("Errors", [models.DynamicConfigValue("decimals", 0)])
    return panel.override_by_name(
        "Trend",
        [
            models.DynamicConfigValue("mappings", mappings),
            models.DynamicConfigValue("custom.cellOptions", {"type": "color-text"}),
        ],
    )
