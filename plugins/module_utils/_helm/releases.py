# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""A layer of Helm releases: what must change, and the changes themselves."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ansible_collections.corpv3.service_mesh.plugins.module_utils._helm.chart_source import ChartSource
from ansible_collections.corpv3.service_mesh.plugins.module_utils._helm.charts import (
    NO_CHART,
    Chart,
    ChartError,
    Rendering,
    documents,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._helm.program import Helm, HelmFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._helm.release import Release, ReleaseFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._helm.storage import InstalledReleases, StoredRelease
from ansible_collections.corpv3.service_mesh.plugins.module_utils._helm.unknown_values import unknown_values
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.api import Api, ApiFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.compare import (
    Change,
    Comparison,
    defined_kinds,
    placed,
    refusals,
    unready,
)
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.fields import BUILT_IN_IGNORES
from ansible_collections.corpv3.service_mesh.plugins.module_utils._kube.objects import Identity, Object, Ref

# helm's own field manager, so that a repair does not look like a foreign change.
_MANAGER = "helm"
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Plan:
    """What must happen to one release."""

    release: Release
    # installed, upgraded, unchanged, uninstalled or absent
    action: str
    changes: list[Change] = field(default_factory=list)
    chart: Chart = NO_CHART
    rendered: Rendering = field(default_factory=lambda: Rendering([], []))

    @property
    def changed(self) -> bool:
        return self.action not in ("unchanged", "absent")

    def report(self) -> dict[str, Any]:
        return {
            "name": self.release.name,
            "namespace": self.release.namespace,
            "action": self.action,
            "objects": [change.report() for change in self.changes],
        }


class Releases:
    """Brings releases to their desired state, in the order of the list or in parallel."""

    def __init__(
        self,
        cluster: Api,
        helm: Helm,
        directory: str,
        warn: Callable[[str], None],
        check_mode: bool,
        side_by_side: bool = False,
        on_unknown_values: str = "ignore",
    ) -> None:
        self._cluster = cluster
        self._helm = helm
        self._source = ChartSource(helm, directory)
        self._directory = directory
        self._warn = warn
        self._check_mode = check_mode
        self._side_by_side = side_by_side
        self._on_unknown_values = on_unknown_values
        self._installed = InstalledReleases(cluster)
        # Releases that this run removes, as objects name their owner.
        self._leaving: frozenset[str] = frozenset()
        self._kubernetes = ""
        self._api_versions: list[str] = []

    def check_charts(self, releases: Sequence[Release]) -> None:
        """Checks that each chart is available, accepts its values and renders for this cluster."""
        with ThreadPoolExecutor(4) as pool:
            self._read_state(releases, pool)
            present = [release for release in releases if release.present]
            charts = _every(pool, self._load, present)
            _every(pool, self._render, present, charts)
        self._check_values(present, charts)

    def ensure(self, releases: Sequence[Release]) -> list[Plan]:
        with ThreadPoolExecutor(4) as pool:
            self._read_state(releases, pool)
            charts = _every(pool, self._load, releases)
            self._check_values(releases, charts)
            if not self._check_mode:
                self._repair_interrupted(releases)
            plans = _every(pool, self._plan, releases, charts)
            if self._check_mode or self._side_by_side:
                self._report_refusals(plans)
            if self._check_mode:
                return plans
            if self._side_by_side:
                return self._execute_side_by_side(plans, pool)
        self._execute_in_order(plans)
        return plans

    def _execute_in_order(self, plans: list[Plan]) -> None:
        for index, plan in enumerate(plans):
            stale = plan.action in ("upgraded", "unchanged") or any(change.refusal for change in plan.changes)
            if stale and any(earlier.changed for earlier in plans[:index]):
                # An earlier release may have installed definitions, or objects that a chart looks up.
                plan = plans[index] = self._plan(plan.release, plan.chart)
            self._report_refusals([plan])
            self._execute(plan)

    def _execute_side_by_side(self, plans: list[Plan], pool: ThreadPoolExecutor) -> list[Plan]:
        """Removals first: another release may adopt what they leave behind."""
        leaving = [plan for plan in plans if plan.action == "uninstalled"]
        _every(pool, self._execute, leaving)
        if leaving:
            plans = _every(
                pool, lambda plan: self._plan(plan.release, plan.chart) if plan.release.present else plan, plans
            )
        _every(pool, self._execute, [plan for plan in plans if plan.release.present])
        return plans

    def _read_state(self, releases: Sequence[Release], pool: ThreadPoolExecutor) -> None:
        version = pool.submit(self._cluster.version)
        api_versions = pool.submit(self._cluster.api_versions)
        names: dict[str, list[str]] = {}
        for release in releases:
            names.setdefault(release.namespace, []).append(release.name)
        # list() raises what failed.
        list(pool.map(self._installed.read, names, names.values()))
        self._leaving = frozenset(
            f"{release.namespace}/{release.name}"
            for release in releases
            if not release.present and self._stored(release)
        )
        self._kubernetes = version.result()
        self._api_versions = api_versions.result()

    def _check_values(self, releases: Sequence[Release], charts: Sequence[Chart]) -> None:
        """Report values that a chart does not read. Raises ReleaseFailure if they must be a failure."""
        if self._on_unknown_values == "ignore":
            return
        problems = [
            f"{release}: the chart {chart.label} does not read {', '.join(found)}"
            for release, chart in zip(releases, charts, strict=True)
            if release.present and (found := unknown_values(chart.path, release.values))
        ]
        if problems and self._on_unknown_values == "fail":
            raise ReleaseFailure("\n".join([*problems, "Correct or delete these values. Nothing was changed."]))
        for problem in problems:
            self._warn(problem)

    def _load(self, release: Release) -> Chart:
        return self._source.chart_of(release) if release.present else NO_CHART

    def _repair_interrupted(self, releases: Sequence[Release]) -> None:
        """A killed helm leaves its release locked; nothing could ever install it again."""
        for release in releases:
            installed = self._stored(release)
            state = installed.status if installed else ""
            if not state.startswith("pending-") and state != "uninstalling":
                continue
            try:
                done = self._put_back(release, may_roll_back=state not in ("pending-install", "uninstalling"))
            except (ApiFailure, HelmFailure) as failure:
                raise ReleaseFailure(f"{release} was left {state} and could not be repaired: {failure}") from failure
            self._warn(f"{release}: an earlier run was interrupted and left it {state}. It was {done} first")

    def _put_back(self, release: Release, may_roll_back: bool) -> str:
        """Back to the last good state: an older revision, or none."""
        good = self._last_good_revision(release) if may_roll_back else None
        if good is None:
            self._helm.uninstall(release.name, release.namespace, wait=False, timeout=release.timeout)
            self._installed.read(release.namespace, [release.name])
            return "uninstalled"
        if not release.rollback:
            return self._leave(release)
        self._helm.rollback(release.name, release.namespace, good, release.timeout)
        self._installed.read_as(release.namespace, release.name, "rolled-back")
        return f"rolled back to revision {good}"

    def _leave(self, release: Release) -> str:
        """As it is, but unlocked: helm refuses to work while its newest revision is pending."""
        newest = self._helm.history(release.name, release.namespace)[-1]
        if str(newest["status"]).startswith("pending-"):
            secret = f"sh.helm.release.v1.{release.name}.v{newest['revision']}"
            self._cluster.delete(Ref("v1", "Secret", release.namespace, secret))
        self._installed.read_as(release.namespace, release.name, "failed")
        return "left as it is, without a rollback"

    def _last_good_revision(self, release: Release) -> int | None:
        revisions = self._helm.history(release.name, release.namespace)
        good = [entry["revision"] for entry in revisions if entry["status"] in ("deployed", "superseded")]
        return max(good, default=None)

    def _plan(self, release: Release, chart: Chart) -> Plan:
        comparison = Comparison(self._cluster, _MANAGER, (*BUILT_IN_IGNORES, *release.ignores))
        try:
            if not release.present:
                return self._plan_removal(release, comparison)
            return self._plan_presence(release, chart, comparison)
        finally:
            comparison.close()
            for warning in comparison.warnings:
                self._warn(warning)

    def _stored(self, release: Release) -> StoredRelease | None:
        return self._installed.get(release.namespace, release.name)

    def _stored_objects(self, release: Release) -> list[Object]:
        """The objects of the installed release, as last rendered."""
        stored = self._stored(release)
        if stored is None:
            return []
        objects = documents(stored.manifest)
        return placed(self._cluster, objects, release.namespace, objects)

    def _plan_removal(self, release: Release, comparison: Comparison) -> Plan:
        if self._stored(release) is None:
            return Plan(release, "absent")
        return Plan(release, "uninstalled", comparison.removals(_deletable(self._stored_objects(release))))

    def _render(self, release: Release, chart: Chart) -> Rendering:
        try:
            return self._helm.template(
                release.name,
                release.namespace,
                chart,
                release.values,
                upgrade=self._stored(release) is not None,
                kubernetes=self._kubernetes,
                api_versions=self._api_versions,
                directory=self._directory,
            )
        except HelmFailure as failure:
            raise ReleaseFailure(f"{release}: chart {chart.label} does not render: {failure}") from failure

    def _plan_presence(self, release: Release, chart: Chart, comparison: Comparison) -> Plan:
        installed = self._stored(release)
        rendered = self._render(release, chart)
        definitions = [*rendered.definitions, *rendered.objects]
        rendered = Rendering(*(placed(self._cluster, objects, release.namespace, definitions) for objects in rendered))
        stored = self._stored_objects(release)
        desired = [*rendered.definitions, *rendered.objects]
        changes = comparison.changes(desired, {Ref.of(obj).identity: obj for obj in stored})
        known = {Ref.of(obj).identity for obj in (*stored, *rendered.definitions)}
        _require_ownership(release, changes, known, self._leaving)
        kept = {Ref.of(obj).identity for obj in desired}
        changes += comparison.removals(ref for ref in _deletable(stored) if ref.identity not in kept)
        if installed is None:
            action = "installed"
        elif (
            installed.status != "deployed"
            or installed.chart_label != chart.label
            or any(change.change != "unchanged" for change in changes)
        ):
            action = "upgraded"
        else:
            action = "unchanged"
        return Plan(release, action, changes, chart, rendered)

    def _report_refusals(self, plans: Sequence[Plan]) -> None:
        redefined = defined_kinds(
            change.after for plan in plans for change in plan.changes if change.after and change.change != "unchanged"
        )
        refused = [f"{plan.release}: {text}" for plan in plans for text in refusals(plan.changes, redefined)]
        if refused:
            raise ReleaseFailure("\n".join(refused))

    def _execute(self, plan: Plan) -> None:
        if plan.action == "uninstalled":
            self._uninstall(plan)
        elif plan.changed:
            self._install(plan)
        if plan.changed:
            self._cluster.forget_kinds()

    def _uninstall(self, plan: Plan) -> None:
        release = plan.release
        try:
            self._helm.uninstall(release.name, release.namespace, wait=release.wait, timeout=release.timeout)
        except HelmFailure as failure:
            raise ReleaseFailure(f"{release} could not be uninstalled: {failure}") from failure

    def _install(self, plan: Plan) -> None:
        release = plan.release
        if self._cluster.get(Ref("v1", "Namespace", "", release.namespace)) is None:
            raise ReleaseFailure(f"{release}: namespace {release.namespace} does not exist. Create it first.")
        if plan.action == "upgraded":
            self._apply([obj for obj in plan.rendered.definitions if _differs(obj, plan)])
        try:
            self._helm.upgrade(
                release.name, release.namespace, plan.chart, release.values, wait=release.wait, timeout=release.timeout
            )
        except HelmFailure as failure:
            raise ReleaseFailure(self._failure_text(plan, str(failure))) from failure
        if plan.action == "upgraded":
            self._repair_drift(plan)

    def _repair_drift(self, plan: Plan) -> None:
        """Helm updates custom resources relative to its own last version and never sees foreign changes."""
        self._installed.read(plan.release.namespace, [plan.release.name])
        # Rendered again: what the chart looks up may have changed while helm waited.
        now = self._plan(plan.release, plan.chart)
        self._apply([obj for obj in now.rendered.objects if _differs(obj, plan) and _differs(obj, now)])

    def _apply(self, objects: Sequence[Object]) -> None:
        for obj in objects:
            try:
                self._cluster.apply(obj, _MANAGER, dry_run=False)
            except ApiFailure as failure:
                raise ReleaseFailure(f"{Ref.of(obj)} could not be applied: {failure}") from failure

    def _failure_text(self, plan: Plan, helm_error: str) -> str:
        """Collects what is not ready while it is still visible, then reverts the release."""
        release = plan.release
        lines = unready(self._cluster, (change.ref for change in plan.changes if change.change != "deleted"))
        try:
            outcome = f"It was {self._put_back(release, may_roll_back=plan.action == 'upgraded')}."
        except (ApiFailure, HelmFailure) as failure:
            outcome = f"It could not be reverted either: {failure}"
        reasons = "".join(f"\n- {line}" for line in lines)
        return f"{release} could not be {plan.action} within {release.timeout} s: {helm_error}{reasons}\n{outcome}"


def _every(pool: ThreadPoolExecutor, function: Callable[..., _Result], *arguments: Sequence[Any]) -> list[_Result]:
    """The results of all calls. Each gets as far as it can; all failures are reported together at the end."""

    def call(*given: Any) -> tuple[list[_Result], str]:
        try:
            return [function(*given)], ""
        except (ApiFailure, ChartError, HelmFailure, ReleaseFailure) as failure:
            return [], str(failure)

    outcomes = list(pool.map(call, *arguments))
    failures = [failure for __, failure in outcomes if failure]
    if failures:
        raise ReleaseFailure("\n".join(dict.fromkeys(failures)))
    return [result for results, __ in outcomes for result in results]


def _differs(obj: Object, plan: Plan) -> bool:
    identity = Ref.of(obj).identity
    return any(change.ref.identity == identity and change.change in ("changed", "created") for change in plan.changes)


def _require_ownership(
    release: Release, changes: Sequence[Change], known: Container[Identity], leaving: Container[str]
) -> None:
    """Helm does not adopt foreign objects, and reports them only when half of the work is done.

    Objects of a release that is removed in the same run are gone by then.
    """
    strangers = [
        f"- {change.ref} (belongs to {f'release {change.owner}' if change.owner else 'no release'})"
        for change in changes
        if change.change != "created"
        and change.ref.identity not in known
        and change.owner != f"{release.namespace}/{release.name}"
        and change.owner not in leaving
    ]
    if strangers:
        raise ReleaseFailure(
            f"{release}: these objects exist already and belong to another owner. Delete them, or add helm's label and "
            "annotations for this release, so that helm adopts them:\n" + "\n".join(strangers)
        )


def _deletable(stored: Sequence[Object]) -> list[Ref]:
    """Helm keeps objects that carry its resource policy keep."""
    return [
        Ref.of(obj)
        for obj in stored
        if (obj["metadata"].get("annotations") or {}).get("helm.sh/resource-policy") != "keep"
    ]
