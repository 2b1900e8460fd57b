"""Values with a typo, and values that only look like one."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._helm.unknown_values import unknown_values

FILES = {
    "Chart.yaml": "name: shop\nversion: 1.0.0\n",
    "values.yaml": (
        "replicaCount: 1\nimage:\n  repository: shop\n  tag: ''\npodAnnotations: {}\n"
        "# resourcesPreset: small\nservice:\n  type: ClusterIP\ncache:\n  persistence:\n    enabled: true\n"
    ),
    "templates/deployment.yaml": "{{ .Values.replicaCount }} {{ .Values.imagePullSecret }}",
    "charts/cache/values.yaml": "maxMemory: 64Mi\nauth:\n  password: ''\n",
    "crds/shop.yaml": "replicaCuont is described here",
}


@pytest.fixture(params=["folder", "archive"])
def chart(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    folder = tmp_path / "shop"
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    if request.param == "folder":
        return str(folder)
    packed = tmp_path / "shop-1.0.0.tgz"
    with tarfile.open(packed, "w:gz") as archive:
        archive.add(folder, "shop")
    return str(packed)


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({"replicaCuont": 3}, ["replicaCuont (did you mean replicaCount?)"]),
        ({"image": {"repositry": "x"}}, ["image.repositry (did you mean repository?)"]),
        # Of a subchart, and what the chart sets of it.
        ({"cache": {"auth": {"pasword": "x"}}}, ["cache.auth.pasword (did you mean password?)"]),
        ({"cache": {"persistance": {"enabled": False}}}, ["cache.persistance (did you mean persistence?)"]),
        # In the wrong place, and wrong.
        ({"service": {"replicaCuont": 3}}, ["service.replicaCuont (did you mean replicaCount?)"]),
    ],
)
def test_a_typo_is_named_with_the_key_that_was_meant(chart: str, values: dict[str, Any], found: list[str]) -> None:
    assert unknown_values(chart, values) == found


@pytest.mark.parametrize(
    "values",
    [
        {"replicaCount": 3, "image": {"tag": "2"}, "cache": {"maxMemory": "1Gi"}},
        # The place accepts any key.
        {"podAnnotations": {"replicaCuont": "x"}},
        # Read by a template, or described in a comment, without a default.
        {"imagePullSecret": "x", "resourcesPreset": "large"},
        # Like nothing that the chart has.
        {"service": {"loadBalancerClass": "x"}},
        {"replicaCount": {"x": 1}},
        {},
    ],
)
def test_the_others_are_not(chart: str, values: dict[str, Any]) -> None:
    assert unknown_values(chart, values) == []


def test_istio_has_its_defaults_below_a_key_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text("_internal_defaults_do_not_set:\n  autoscaleMin: 1\n  image: pilot\n")
    assert unknown_values(str(tmp_path), {"autoscaleMn": 2}) == ["autoscaleMn (did you mean autoscaleMin?)"]
    # A former key whose content is now on the outermost level.
    assert unknown_values(str(tmp_path), {"pilot": {"autoscaleMn": 2}}) == [
        "pilot.autoscaleMn (did you mean autoscaleMin?)"
    ]
