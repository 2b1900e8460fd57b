"""The application's chart and its role know the canary's annotations by the names that the modules give them."""

from __future__ import annotations

import re

from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import (
    DECLARED_IMAGE,
    FINAL,
    IMAGE,
    KEEPS_CANARIES,
    PINNED,
    PREFIX,
)

from ..support.role_variables import ROLES

ROLE = ROLES / "restaurant_app"
TEMPLATES = ROLE / "files/chart/templates"
CHART = {path.name: path.read_text(encoding="utf-8") for path in sorted(TEMPLATES.rglob("*.*"))}
ALL = "\n".join(CHART.values())


def defined(name: str) -> str:
    found = re.search(rf'define "restaurant-app\.{name}" -}}}}\n(.*?)\n{{{{- end', CHART["_helpers.tpl"], re.DOTALL)
    assert found, name
    return found[1]


def test_the_chart_has_each_name_once() -> None:
    assert ALL.count(PREFIX) == 1
    assert ALL.count(KEEPS_CANARIES) == 1
    assert defined("canaryAnnotation") == f"{PREFIX}{{{{ . }}}}"
    assert defined("keepsCanaries") == f'{KEEPS_CANARIES}: "true"'


def test_the_chart_reads_and_writes_what_the_modules_do() -> None:
    used = re.findall(r'include "restaurant-app\.canaryAnnotation" ([^\s)]+)', ALL.replace(CHART["_helpers.tpl"], ""))
    # The state has the service's name.
    assert {f"{PREFIX}{name}".replace('"', "") for name in used} == {DECLARED_IMAGE, IMAGE, PINNED, f"{PREFIX}.name"}


def test_the_chart_knows_when_a_run_has_ended() -> None:
    (phases,) = re.findall(r'\(dig "phase" "" [^\n]*\(list ([^)]+)\)', CHART["_slots.tpl"])
    assert tuple(re.findall('"([^"]+)"', phases)) == FINAL


def test_the_role_asks_for_the_image_that_a_canary_decided() -> None:
    tasks = "".join(path.read_text(encoding="utf-8") for path in ROLE.rglob("*.yml"))
    assert re.findall(rf"{re.escape(PREFIX)}[\w-]+", tasks) == [IMAGE]
