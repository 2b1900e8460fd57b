"""What the application takes of the cluster follows its chart, and what is laid over its values as helm would do it."""

from __future__ import annotations

from typing import Any

import yaml

from ..support.role_variables import ROLES, answers

CHART = yaml.safe_load((ROLES / "restaurant_app/files/chart/values.yaml").read_text(encoding="utf-8"))
OWN = CHART["defaults"]["resources"]["requests"]
PODS = "{{ __restaurant_app_pods }}"


def test_the_pods_of_the_application() -> None:
    more_cpu = {"resources": {"requests": {"cpu": "200m"}}}
    given: list[dict[str, Any]] = [
        {"istio_proxy_resources": {"requests": {"cpu": "10m"}}},
        {"restaurant_app_istio_enabled": False, "restaurant_app_replicas": "3"},
        {"restaurant_app_istio_enabled": False, "restaurant_app_defaults": more_cpu},
        {
            "restaurant_app_istio_enabled": False,
            "restaurant_app_services": {"order-service": {"replicas": 4}, "waiter": {"port": 8009}},
        },
    ]
    usual, three, more, others = answers([("restaurant_app", variables, PODS) for variables in given])
    names = list(CHART["services"])
    assert [pod["name"] for pod in usual] == [name for own in names for name in (own, f"{own} sidecar")]
    assert usual[0] == {"name": names[0], "count": 2, "requests": OWN}
    assert usual[1] == {"name": f"{names[0]} sidecar", "count": 2, "requests": {"cpu": "10m"}}
    assert [pod["count"] for pod in three] == [3] * len(names)
    assert {pod["requests"]["cpu"] for pod in more} == {"200m"}
    assert {pod["requests"]["memory"] for pod in more} == {OWN["memory"]}
    counts = {pod["name"]: pod["count"] for pod in others}
    assert counts == {**dict.fromkeys(names, 2), "order-service": 4, "waiter": 2}
