"""One Deployment: its pods, what they use, what they serve and what they call."""

from __future__ import annotations

from grafana_foundation_sdk.models import dashboard as models

from .panels import GOOD_TO_BAD_SHARE, board, chart, choice, log_lines, now, number, query

# Of a Deployment's pods, which are named by it and two hashes; the other slot's have -v2 between them.
PODS = 'namespace="$namespace", pod=~"$workload-[a-z0-9]+-[a-z0-9]{5}"'
DEPLOYMENT = 'namespace="$namespace", deployment="$workload"'
# Requests as the pods count them, which the callers' proxies know by Service only.
INBOUND = 'reporter="destination", destination_workload_namespace="$namespace", destination_workload="$workload"'
OUTBOUND = 'reporter="source", source_workload_namespace="$namespace", source_workload="$workload"'


def dashboard() -> models.Dashboard:
    """From the inside: what the pods themselves count and use."""
    return board(
        "workload",
        "Mesh workload",
        "One Deployment: its pods, what they use, what they serve and what they call.",
        [
            choice(
                "namespace",
                "Namespace",
                "label_values(kube_deployment_spec_replicas, namespace)",
                "restaurant-management",
            ),
            choice(
                "workload",
                "Workload",
                'label_values(kube_deployment_spec_replicas{namespace="$namespace"}, deployment)',
                "order-service",
            ),
        ],
        {
            "": [
                number("Pods wanted", "short", now(f"max(kube_deployment_spec_replicas{{{DEPLOYMENT}}})"), width=6),
                number(
                    "Pods available",
                    "short",
                    now(f"max(kube_deployment_status_replicas_available{{{DEPLOYMENT}}})"),
                    steps=((None, "red"), (1, "green")),
                    width=6,
                ),
                number(
                    "CPU",
                    "percentunit",
                    now(f"max(container:cpu_usage:rate5m{{{PODS}}} / (container:cpu_limit:cores > 0))"),
                    steps=GOOD_TO_BAD_SHARE,
                    width=6,
                    about="Of its limit, the container that is nearest to it. HighCPUUsage fires above 80%.",
                ),
                number(
                    "Memory",
                    "percentunit",
                    now(f"max(container:memory_working_set:bytes{{{PODS}}} / (container:memory_limit:bytes > 0))"),
                    steps=GOOD_TO_BAD_SHARE,
                    width=6,
                    about="Of its limit, the container that is nearest to it. HighMemoryUsage fires above 80%.",
                ),
            ],
            "Requests": [
                chart(
                    "Served, by answer",
                    "reqps",
                    query(f"sum by (response_code) (rate(istio_requests_total{{{INBOUND}}}[5m]))", "{{response_code}}"),
                    stacked=True,
                ),
                chart(
                    "Served, latency",
                    "ms",
                    *(
                        query(
                            f"histogram_quantile({share}, sum by (le) "
                            f"(rate(istio_request_duration_milliseconds_bucket{{{INBOUND}}}[5m]))) >= 0",
                            f"P{share * 100:.0f}",
                            ref,
                        )
                        for ref, share in (("A", 0.5), ("B", 0.95), ("C", 0.99))
                    ),
                ),
                chart(
                    "Sent, by service",
                    "reqps",
                    query(
                        f"sum by (destination_service_name) (rate(istio_requests_total{{{OUTBOUND}}}[5m]))",
                        "{{destination_service_name}}",
                    ),
                    about="Empty for a workload without outgoing calls.",
                ),
                chart(
                    "Served, by pod",
                    "reqps",
                    query(f"sum by (pod) (rate(istio_requests_total{{{INBOUND}}}[5m]))", "{{pod}}"),
                ),
            ],
            "Pods": [
                chart(
                    "CPU",
                    "short",
                    query(f"container:cpu_usage:rate5m{{{PODS}}}", "{{pod}} {{container}}"),
                    about="Cores.",
                ),
                chart(
                    "Memory", "bytes", query(f"container:memory_working_set:bytes{{{PODS}}}", "{{pod}} {{container}}")
                ),
                chart(
                    "Restarts",
                    "short",
                    query(
                        f"max by (pod, container) (kube_pod_container_status_restarts_total{{{PODS}}})",
                        "{{pod}} {{container}}",
                    ),
                    width=24,
                ),
                log_lines("Logs", '{namespace="$namespace", pod=~"$workload-.+"}'),
            ],
        },
    )
