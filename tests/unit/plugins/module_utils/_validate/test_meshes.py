# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Option meshes: places that are stated to be a mesh each, and the clusters of one mesh."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.errors import MeshError
from ansible_collections.corpv3.service_mesh.plugins.module_utils._console import main as console
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.mesh import Settings
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.resource import Resource, Source
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.configuration import configured
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.meshes import checked_one_by_one, places_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.request import (
    VALIDATE_OPTIONS,
    answered,
    with_configuration,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.validation import Validated

from .test_several_meshes import route, service

DEFAULTS: dict[str, Any] = {name: option.get("default") for name, option in VALIDATE_OPTIONS.items()}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def validated(files: Mapping[str, str], meshes: list[Any], **options: Any) -> Validated:
    write(files)
    params = {**DEFAULTS, "istio_namespace": "istio-system", "paths": ["."], "meshes": meshes, **options}
    return answered(params, lambda: pytest.fail("no cluster"), 0).result


def found(result: Validated, *codes: str) -> list[tuple[str, str]]:
    return [(item["file"], item["message"]) for item in result.findings if item["code"] in codes]


# staging has the Service that production lacks.
STAGING = {"envs/staging/all.yaml": "---\n".join([service("cart"), service("payment"), route("cart")])}
PRODUCTION = {"envs/production/all.yaml": "---\n".join([service("cart"), route("cart", timeout="9s")])}
PRODUCTION["envs/production/pay.yaml"] = route("payment")


def test_what_only_another_mesh_has_is_missing() -> None:
    files = {**STAGING, **PRODUCTION}
    assert found(validated(files, []), "IST0101") == []
    result = validated(files, ["envs/*"])
    assert [file for file, _message in found(result, "IST0101")] == ["envs/production/pay.yaml"]
    assert found(result, "MESH219", "IST0109") == []
    assert result.summary["meshes"] == 2


def test_files_that_no_mesh_names_belong_to_each_of_them() -> None:
    files = {**STAGING, "envs/production/all.yaml": service("cart"), "common/pay.yaml": route("payment")}
    both = validated({**files, "common/service.yaml": service("payment")}, ["envs/*"])
    assert found(both, "IST0101") == []
    Path("common/service.yaml").unlink()
    # Another route of the folder finds its Service, so a Service that the folder's objects name can be expected.
    one = validated({**files, "common/cart.yaml": route("cart")}, ["envs/*"])
    assert [(file, "(in mesh envs/production)" in text) for file, text in found(one, "IST0101")] == [
        ("common/pay.yaml", True)
    ]


def test_a_mesh_of_several_paths() -> None:
    files = {"base/a.yaml": service("cart"), "one/a.yaml": route("cart"), "two/a.yaml": route("cart", name="other")}
    meshes = [{"name": "first", "paths": ["base", "one"]}, {"name": "second", "paths": ["base", "two"]}]
    assert found(validated(files, []), "IST0109")
    result = validated(files, meshes)
    assert found(result, "IST0109", "IST0101") == []


def test_what_one_mesh_could_not_read_leaves_the_others_decided() -> None:
    files = {**STAGING, **PRODUCTION, "envs/staging/broken.yaml": "apiVersion: v1\nkind: [\n"}
    result = validated(files, ["envs/*"])
    assert [file for file, _message in found(result, "IST0101")] == ["envs/production/pay.yaml"]
    assert found(result, "MESH001")
    files["envs/production/broken.yaml"] = files["envs/staging/broken.yaml"]
    assert found(validated(files, ["envs/*"]), "IST0101") == []


def test_undecided_names_the_mesh() -> None:
    files = {
        "envs/a/all.yaml": service("cart"),
        "envs/b/all.yaml": service("cart") + "---\n" + route("x.other.svc.cluster.local", name="x"),
    }
    lacking = validated(files, ["envs/*"]).undecided["route_to_unknown_service"]
    assert lacking == ["the Services of namespace other (in mesh envs/b)"]


CLUSTERS = [{"name": "shop", "clusters": {"eu": ["eu"], "us": ["us"]}}]


def test_clusters_of_one_mesh_share_services_but_not_configuration() -> None:
    rule = """apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: payment, namespace: shop}
spec: {host: payment, subsets: [{name: v1, labels: {app: payment}}, {name: v2, labels: {version: v2}}]}
"""
    files = {"eu/a.yaml": "---\n".join([service("cart"), route("payment"), rule]), "us/a.yaml": service("payment")}
    files["us/a.yaml"] += "---\n" + service("cart") + "---\n" + route("cart")
    result = validated(files, CLUSTERS)
    assert found(result, "IST0101", "IST0109", "MESH219") == []
    # The subset v1 is in the other cluster, v2 in none.
    assert [message for _file, message in found(result, "IST0173")] == [
        message for _file, message in found(result, "IST0173") if "v2" in message
    ]
    assert len(found(result, "IST0173")) == 1
    # As two meshes, eu lacks the Service.
    alone = validated(files, ["eu", "us"])
    assert [file for file, _message in found(alone, "IST0101")] == ["eu/a.yaml"]


def test_a_service_that_differs_between_clusters() -> None:
    files = {"eu/a.yaml": service("cart"), "us/a.yaml": service("cart").replace("port: 80", "port: 81")}
    assert found(validated(files, CLUSTERS), "IST0170") == [("us/a.yaml", "differs from cluster eu: ports")]
    assert found(validated(files, ["eu", "us"]), "IST0170") == []
    write({"us/a.yaml": files["eu/a.yaml"]})
    assert found(validated({}, CLUSTERS), "IST0170") == []


def test_a_deployment_of_one_name_in_two_clusters_is_two_workloads() -> None:
    """Its subset is found in either, and neither is defined twice."""
    v1 = service("cart").replace("{app: cart}}\n    spec", "{app: cart, version: v1}}\n    spec")
    rule = """apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: cart, namespace: shop}
spec: {host: cart, subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]}
"""
    files = {"eu/a.yaml": f"{v1}---\n{rule}", "us/a.yaml": v1.replace("v1}}", "v2}}")}
    assert found(validated(files, CLUSTERS), "IST0173", "MESH219") == []
    assert found(validated(files, ["eu", "us"]), "IST0173")


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("nowhere/*", "'nowhere/\\*' does not exist"),
        ({"paths": ["nowhere"]}, "'nowhere' does not exist"),
        ({"path": ["envs"]}, "is not a valid mesh. Write a pattern"),
        ({"paths": []}, "paths must be a list"),
        ({"name": "a"}, "is not a valid mesh"),
        ({"clusters": {"eu": ["envs"]}}, "is not a valid mesh"),
        ({"name": "a", "paths": ["envs"], "clusters": {"eu": ["envs"]}}, "is not a valid mesh"),
        (7, "7 is not a valid mesh"),
    ],
)
def test_an_invalid_entry_is_refused(entry: Any, words: str) -> None:
    Path("envs").mkdir()
    with pytest.raises(MeshError, match=f"^meshes: .*{words}"):
        places_of([entry])


def test_a_name_is_unique() -> None:
    Path("envs").mkdir()
    with pytest.raises(MeshError, match="mesh a is stated twice"):
        places_of([{"name": "a", "paths": ["envs"]}, {"name": "a", "paths": ["."]}])


def test_paths_in_a_file_start_at_its_folder(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write({**STAGING, **PRODUCTION, ".git/HEAD": ""})
    write({"mesh-validate.yml": "meshes: [envs/*, {paths: [envs]}, {name: a, clusters: {eu: [envs]}}]\n"})
    merged = configured(DEFAULTS, VALIDATE_OPTIONS, "mesh-validate.yml")
    assert merged["meshes"] == [
        f"{here}/envs/*",
        {"paths": [f"{here}/envs"]},
        {"name": "a", "clusters": {"eu": [f"{here}/envs"]}},
    ]
    # As the module, from another folder of the repository.
    write({"mesh-validate.yml": "meshes: [envs/*]\n"})
    monkeypatch.chdir(here / "envs")
    params = with_configuration({**DEFAULTS, "base": ".", "istio_namespace": "istio-system", "paths": ["."]})
    result = answered(params, lambda: pytest.fail("no cluster"), 0).result
    assert [file for file, _message in found(result, "IST0101")] == ["production/pay.yaml"]


def test_the_console_program_reads_them(capsys: pytest.CaptureFixture[str]) -> None:
    write({**STAGING, **PRODUCTION, "mesh-validate.yml": "meshes: [envs/*]\n"})
    assert console.main([]) == 1
    assert "files, 2 meshes (" in capsys.readouterr().out
    assert console.main(["--no-config"]) == 0


def test_a_part_of_the_repository_is_the_mesh_that_it_is_of() -> None:
    result = validated({**STAGING, **PRODUCTION}, ["envs/*"], paths=["envs/staging"])
    assert result.summary["meshes"] == 1


def test_a_cluster_is_one_mesh() -> None:
    write({**STAGING, **PRODUCTION})
    places = places_of(["envs/*"])
    live = Resource({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "cart", "namespace": "shop"}})
    files = [_at(file) for file in (*STAGING, *PRODUCTION)]
    settings = Settings()
    checked_one_by_one([live, files[0]], settings, [], places)
    with pytest.raises(MeshError, match=r"the files are of 2 meshes \(envs/production, envs/staging\)"):
        checked_one_by_one([live, *files], settings, [], places)


def _at(file: str) -> Resource:
    return Resource({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "cart"}}, Source(file, 1))
