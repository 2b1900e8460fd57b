"""What the dashboards are made of: queries of the three data sources, panels, variables, links."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    logs,
    loki,
    prometheus,
    stat,
    table,
    timeseries,
)
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models import dashboard
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

# Role wiring gives the data sources these uids.
PROMETHEUS = dashboard.DataSourceRef(type_val="prometheus", uid="prometheus")
LOKI = dashboard.DataSourceRef(type_val="loki", uid="loki")
JAEGER = dashboard.DataSourceRef(type_val="jaeger", uid="jaeger")

WIDTH = 24
# Labels, as heads of columns.
LABELS = {"destination_service_name": "Service", "destination_service_namespace": "Namespace"}
TAG = "service-mesh"
Query = prometheus.Dataquery | loki.Dataquery
Steps = Iterable[tuple[float | None, str]]
GOOD_TO_BAD_ERRORS: Steps = ((None, "green"), (0.01, "yellow"), (0.05, "red"))
GOOD_TO_BAD_MILLISECONDS: Steps = ((None, "green"), (500, "yellow"), (1000, "red"))
GOOD_TO_BAD_SHARE: Steps = ((None, "green"), (0.7, "yellow"), (0.8, "red"))


def query(expression: str, legend: str = "__auto", ref: str = "A") -> prometheus.Dataquery:
    """A series over the dashboard's time."""
    return prometheus.Dataquery().expr(expression).legend_format(legend).ref_id(ref).datasource(PROMETHEUS).range()


def failed(selector: str, function: str, window: str) -> str:
    """PromQL of the requests that are failures of the server. ``selector``: of the series, without the last brace."""
    codes = 'response_code=~"5.*"', 'grpc_response_status=~"2|4|12|13|14|15"'
    return "(" + " or ".join(f"{function}({selector}, {code}}}[{window}])" for code in codes) + ")"


def now(expression: str, legend: str = "__auto", ref: str = "A") -> prometheus.Dataquery:
    """The values at the end of the dashboard's time."""
    return query(expression, legend, ref).instant()


def column(expression: str, ref: str) -> prometheus.Dataquery:
    """A column of a table."""
    return now(expression, ref=ref).format(PromQueryFormat.TABLE)


def chart(
    title: str, unit: str, *queries: Query, about: str = "", width: int = 12, stacked: bool = False, height: int = 8
) -> timeseries.Panel:
    """Lines over time."""
    panel = (
        timeseries.Panel().title(title).description(about).datasource(PROMETHEUS).unit(unit).span(width).height(height)
    )
    panel.min(0).fill_opacity(20 if stacked else 8).line_width(1)
    panel.tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
    panel.legend(
        common.VizLegendOptions()
        .display_mode(LegendDisplayMode.TABLE)
        .placement(LegendPlacement.RIGHT)
        .show_legend(True)
        .calcs(["lastNotNull", "max"])
    )
    if stacked:
        panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL))
    for one in queries:
        panel.with_target(one)
    return panel


def number(
    title: str,
    unit: str,
    *queries: Query,
    about: str = "",
    steps: Steps = ((None, "text"),),
    width: int = 4,
    decimals: int | None = None,
) -> stat.Panel:
    """One large number, or a few."""
    panel = stat.Panel().title(title).description(about).datasource(PROMETHEUS).unit(unit).span(width).height(4)
    panel.color_mode(BigValueColorMode.VALUE).graph_mode(BigValueGraphMode.NONE).text_mode(BigValueTextMode.VALUE)
    panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"])).no_value("no data")
    panel.thresholds(_thresholds(steps))
    if decimals is not None:
        panel.decimals(decimals)
    for one in queries:
        panel.with_target(one)
    return panel


def columns(
    title: str,
    unit: str,
    one: Query,
    about: str = "",
    steps: Steps = GOOD_TO_BAD_MILLISECONDS,
    width: int = 24,
    height: int = 7,
) -> bargauge.Panel:
    """A bar for each series, side by side."""
    panel = (
        bargauge.Panel().title(title).description(about).datasource(PROMETHEUS).unit(unit).span(width).height(height)
    )
    panel.orientation(VizOrientation.VERTICAL).min(0).decimals(0).thresholds(_thresholds(steps))
    return panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"])).with_target(one)


def grid(
    title: str,
    key: str,
    heads: Mapping[str, tuple[str, str]],
    *queries: prometheus.Dataquery,
    about: str = "",
    width: int = 24,
    height: int = 9,
) -> table.Panel:
    """A row for each value of label `key`. `heads`: each query's column, its head and unit by the query's ref."""
    panel = table.Panel().title(title).description(about).datasource(PROMETHEUS).span(width).height(height)
    for one in queries:
        panel.with_target(one)
    order = {key: 0, **{f"Value #{ref}": place for place, ref in enumerate(heads, 1)}}
    names = {**LABELS, **{f"Value #{ref}": head for ref, (head, _unit) in heads.items()}}
    panel.with_transformation(dashboard.DataTransformerConfig(id_val="merge", options={}))
    panel.with_transformation(
        dashboard.DataTransformerConfig(
            id_val="organize", options={"excludeByName": {"Time": True}, "indexByName": order, "renameByName": names}
        )
    )
    for head, unit in heads.values():
        panel.override_by_name(
            head, [dashboard.DynamicConfigValue("unit", unit), dashboard.DynamicConfigValue("decimals", 2)]
        )
    return panel


def log_lines(title: str, expression: str, about: str = "", width: int = 24, height: int = 9) -> logs.Panel:
    """Lines of Loki, the newest first; a trace id in them leads to Jaeger by the data source's derived field."""
    panel = logs.Panel().title(title).description(about).datasource(LOKI).span(width).height(height)
    panel.show_time(True).wrap_log_message(True).enable_log_details(True)
    return panel.with_target(
        loki.Dataquery().expr(expression).ref_id("A").datasource(LOKI).query_type("range").max_lines(200)
    )


class JaegerQuery(Dataquery):
    """The SDK has none of Jaeger's."""

    def __init__(self, **fields: object) -> None:
        self._fields = {"refId": "A", "datasource": JAEGER, **fields}

    def to_json(self) -> dict[str, object]:
        return self._fields

    def build(self) -> JaegerQuery:
        return self


def trace(title: str, trace_id: str, about: str = "") -> builders.Panel:
    """One trace, by its id."""
    panel = builders.Panel().type("traces").title(title).description(about).datasource(JAEGER).span(WIDTH).height(10)
    return panel.with_target(JaegerQuery(query=trace_id))


def traces(title: str, service: str, about: str = "") -> builders.Panel:
    """The latest traces of a service, each a link to itself."""
    panel = builders.Panel().type("table").title(title).description(about).datasource(JAEGER).span(WIDTH).height(9)
    return panel.with_target(JaegerQuery(queryType="search", service=service, limit=20))


def choice(name: str, label: str, expression: str, current: str, everything: bool = False) -> builders.QueryVariable:
    """A variable whose values Prometheus knows."""
    variable = (
        builders.QueryVariable(name).label(label).datasource(PROMETHEUS).query({"query": expression, "refId": name})
    )
    variable.refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED).sort(dashboard.VariableSort.ALPHABETICAL_ASC)
    variable.current(
        dashboard.VariableOption(
            selected=True, text="All" if everything else current, value="$__all" if everything else current
        )
    )
    return variable.include_all(True).multi(True).all_value(".+") if everything else variable


def options(name: str, label: str, values: list[str]) -> builders.CustomVariable:
    """A variable with fixed values, the first of which is set."""
    return (
        builders.CustomVariable(name)
        .label(label)
        .values(",".join(values))
        .current(dashboard.VariableOption(selected=True, text=values[0], value=values[0]))
        .options([dashboard.VariableOption(selected=value == values[0], text=value, value=value) for value in values])
    )


def entry(name: str, label: str) -> builders.TextBoxVariable:
    """A variable to type into."""
    return (
        builders.TextBoxVariable(name)
        .label(label)
        .default_value("")
        .current(dashboard.VariableOption(selected=True, text="", value=""))
    )


def to_dashboard(title: str, uid: str, **variables: str) -> builders.DashboardLink:
    """A link of a series or a row."""
    pairs = "&".join(f"var-{name}={value}" for name, value in variables.items())
    return builders.DashboardLink(title).url(f"/d/{uid}?{pairs}&${{__url_time_range}}")


def to_logs(title: str, expression: str) -> builders.DashboardLink:
    """A link to Loki in Explore."""
    pane = {
        "datasource": LOKI.uid,
        "queries": [{"refId": "A", "expr": expression}],
        "range": {"from": "now-1h", "to": "now"},
    }
    # Grafana fills in ${...}, so that stays readable.
    encoded = quote(json.dumps({"logs": pane}, separators=(",", ":")), safe="${}._:")
    return builders.DashboardLink(title).url(f"/explore?schemaVersion=1&orgId=1&panes={encoded}")


def board(uid: str, title: str, about: str, variables: list[Any], rows: Mapping[str, list[Any]]) -> dashboard.Dashboard:
    """A dashboard. `rows`: its panels by the row's title; an empty title has none."""
    made = builders.Dashboard(title).uid(uid).description(about).tags([TAG]).timezone("browser").refresh("30s")
    made.time("now-1h", "now").editable().tooltip(dashboard.DashboardCursorSync.CROSSHAIR).variables(variables)
    made.link(
        builders.DashboardLink("Service mesh")
        .type(dashboard.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .as_dropdown(True)
        .keep_time(True)
    )
    for name, panels in rows.items():
        if name:
            made.with_row(builders.Row(name))
        for panel in panels:
            made.with_panel(panel)
    finished = made.build()
    for place, panel in enumerate(finished.panels or [], 1):
        panel.id_val = place
    return finished


def _thresholds(steps: Steps) -> builders.ThresholdsConfig:
    return (
        builders.ThresholdsConfig()
        .mode(dashboard.ThresholdsMode.ABSOLUTE)
        .steps([dashboard.Threshold(value=value, color=color) for value, color in steps])
    )
