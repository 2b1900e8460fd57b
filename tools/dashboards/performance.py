"""What the mesh itself costs: sidecars, gateway, istiod."""

from __future__ import annotations

from grafana_foundation_sdk.models import dashboard as models

from .panels import board, chart, now, number, query

ISTIOD = 'pod=~"istiod.+"'


def dashboard() -> models.Dashboard:
    """CPU and memory of proxies and control plane, and how much traffic they are used for."""
    proxies = 'container="istio-proxy"'
    requests = 'sum(rate(istio_requests_total{reporter="source"}[5m]))'
    return board(
        "performance",
        "Performance",
        "What the mesh costs.",
        [],
        {
            "": [
                number("Proxies", "short", now(f"count(container:memory_working_set:bytes{{{proxies}}})"), width=6),
                number(
                    "CPU of all proxies",
                    "short",
                    now(f"sum(container:cpu_usage:rate5m{{{proxies}}})"),
                    width=6,
                    decimals=3,
                    about="Cores.",
                ),
                number(
                    "Memory of all proxies",
                    "bytes",
                    now(f"sum(container:memory_working_set:bytes{{{proxies}}})"),
                    width=6,
                ),
                number(
                    "CPU for 1000 requests/s",
                    "short",
                    now(f"sum(container:cpu_usage:rate5m{{{proxies}}}) / ({requests} > 0) * 1000"),
                    width=6,
                    decimals=2,
                    about="Cores of all proxies together, for 1000 requests a second between any two of them.",
                ),
            ],
            "Proxies": [
                chart(
                    "CPU by namespace",
                    "short",
                    query(f"sum by (namespace) (container:cpu_usage:rate5m{{{proxies}}})", "{{namespace}}"),
                    about="Cores.",
                ),
                chart(
                    "Memory by namespace",
                    "bytes",
                    query(f"sum by (namespace) (container:memory_working_set:bytes{{{proxies}}})", "{{namespace}}"),
                ),
                chart(
                    "CPU, the busiest",
                    "percentunit",
                    query(
                        f"topk(10, container:cpu_usage:rate5m{{{proxies}}} / (container:cpu_limit:cores > 0))",
                        "{{pod}}",
                    ),
                    about="Of their limit.",
                ),
                chart(
                    "Memory, the largest",
                    "percentunit",
                    query(
                        f"topk(10, container:memory_working_set:bytes{{{proxies}}}"
                        " / (container:memory_limit:bytes > 0))",
                        "{{pod}}",
                    ),
                    about="Of their limit.",
                ),
            ],
            "istiod": [
                chart(
                    "CPU",
                    "short",
                    query(f"sum by (pod) (rate(process_cpu_seconds_total{{{ISTIOD}}}[5m]))", "{{pod}}"),
                    width=8,
                    about="Cores.",
                ),
                chart(
                    "Memory",
                    "bytes",
                    query(f"sum by (pod) (process_resident_memory_bytes{{{ISTIOD}}})", "{{pod}}"),
                    width=8,
                ),
                chart("Goroutines", "short", query(f"sum by (pod) (go_goroutines{{{ISTIOD}}})", "{{pod}}"), width=8),
                chart("Proxies connected", "short", query("sum by (pod) (pilot_xds)", "{{pod}}"), width=8),
                chart(
                    "Time to build a push (P99)",
                    "s",
                    query(
                        "histogram_quantile(0.99, sum by (type, le) (rate(pilot_xds_push_time_bucket[5m]))) >= 0",
                        "{{type}}",
                    ),
                    width=8,
                    about="Without changes there is nothing to measure.",
                ),
                chart(
                    "Why it pushes", "ops", query("sum by (type) (rate(pilot_push_triggers[5m]))", "{{type}}"), width=8
                ),
            ],
        },
    )
