# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The forms of a report: whole, safe whatever the cluster holds, readable by every user, and without any secret."""

from __future__ import annotations

import base64
import itertools
import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._document.document import Section, Table
from ansible_collections.corpv3.service_mesh.plugins.module_utils._report.report import document_of, rendered
from ansible_collections.corpv3.service_mesh.plugins.module_utils._topology.graph import graph_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._topology.picture import svg

HOSTILE = "<script>alert(1)</script>\" onload='x' &lt; | `x` [a](javascript:b) ![i](http://evil/i)\u202e\x1b[2J\n# h"
# Words that the collection itself chooses.
_OWN = {"health", "level", "security", "use", "phase", "topology_svg", "group", "verdict"}
_LOADING = {"src", "srcset", "data", "poster", "action", "formaction", "background", "xlink:href", "ping"}


class Page(HTMLParser):
    """Tags with their attributes, and texts, as a browser sees them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.styles: list[str] = []
        self._open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in ("meta", "br", "img", "link"):
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        (self.styles if self._open and self._open[-1] == "style" else self.texts).append(data)

    def named(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


def hostile(value: Any, key: str = "") -> Any:
    """The same data with something nasty wherever the cluster's or the user's words are."""
    if isinstance(value, dict):
        return {name: hostile(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [hostile(inner, key) for inner in value]
    return f"{value}{HOSTILE}" if value and isinstance(value, str) and key not in _OWN else value


@pytest.fixture
def hostile_data(data: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = hostile(data)
    found["traffic"]["topology_svg"] = svg(*graph_of(found["traffic"]))
    return found


def test_the_page_needs_nothing_beside_itself(data: dict[str, Any]) -> None:
    text = rendered("html", data)
    page = Page(text)
    assert not {tag for tag, _attributes in page.tags} & {"script", "img", "link", "iframe", "object", "embed", "base"}
    for tag, attributes in page.tags:
        assert not _LOADING & set(attributes), tag
        assert not [name for name in attributes if name.startswith("on")], tag
        assert attributes.get("href", "#").startswith("#"), attributes
    css = " ".join([*page.styles, *(attributes.get("style", "") for _tag, attributes in page.tags)])
    assert not re.search(r"@import|url\((?!#)|image-set|expression", css)
    (policy,) = [item["content"] for item in page.named("meta") if "http-equiv" in item]
    assert policy.startswith("default-src 'none';")
    assert "script-src" not in policy


def test_what_others_wrote_stays_text(data: dict[str, Any], hostile_data: dict[str, Any]) -> None:
    good, bad = Page(rendered("html", data)), Page(rendered("html", hostile_data))

    def shape(page: Page) -> list[tuple[str, list[str]]]:
        return [(tag, sorted(attributes)) for tag, attributes in page.tags]

    assert [item for item in shape(bad) if item not in shape(good)] == []
    # The picture has other lines, since no service calls one of another name.
    for tag in ("section", "p", "li", "dd", "tr", "td", "th", "code", "rect"):
        assert len(bad.named(tag)) == len(good.named(tag)), tag
    assert "<script>alert(1)</script>" in "".join(bad.texts)
    assert not re.search("[\u202a-\u202e\x00-\x09\x0b-\x1f]", rendered("html", hostile_data))


def test_markdown_keeps_its_tables_and_has_no_markup_of_others(
    data: dict[str, Any], hostile_data: dict[str, Any]
) -> None:
    good, bad = rendered("markdown", data).splitlines(), rendered("markdown", hostile_data).splitlines()
    assert len(bad) == len(good)

    def cells(line: str) -> int:
        return len(re.findall(r"(?<!\\)\|", line))

    assert [cells(line) for line in bad] == [cells(line) for line in good]
    for line in bad:
        bare = re.sub(r"(?<!\\)(`+)(?!`).*?(?<!`)\1(?!`)", "", line)
        assert not re.search(r"(?<!\\)<|(?<!\\)\]\(|(?<!\\)`", bare), line


def test_the_three_forms_show_the_same(data: dict[str, Any]) -> None:
    page = " ".join(Page(rendered("html", data)).texts)
    text = rendered("markdown", data)
    said = json.loads(rendered("json", data))
    assert said["format"] == 1
    for fact in (
        "CHG-4711, after",
        "5d0c1f0e-kube-system",
        "1.0.3",
        "cart:1.1.0",
        "shop-tls",
        "alice",
        "91.0 is below 99",
    ):
        assert fact in page
        assert fact in text.replace("\\", "")
        assert fact in json.dumps(said)


def test_no_form_holds_a_secret(data: dict[str, Any], mesh: Any) -> None:
    planted = ["SECRET-in-env", "SECRET-in-url", "SECRET-in-values", "SECRET-in-manifest", "PRIVATE KEY"]
    for item in mesh.objects:
        if item["kind"] == "Secret":
            for value in item["data"].values():
                planted += [value, *base64.b64decode(value).decode(errors="replace").split("\n")[1:-2]]
    wanted = [text for text in planted if len(text) > 8]
    assert len(wanted) > 20
    for form in ("html", "markdown", "json"):
        written = rendered(form, data)
        assert [text for text in wanted if text in written] == []


def test_the_page_is_accessible(data: dict[str, Any]) -> None:
    text = rendered("html", data)
    page = Page(text)
    assert page.named("html") == [{"lang": "en"}]
    assert len(page.named("main")) == 1
    levels = [int(tag[1]) for tag, _attributes in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert len(page.named("caption")) == len(page.named("table")) > 8
    assert all(header.get("scope") in ("col", "row") for header in page.named("th"))
    (picture,) = page.named("svg")
    assert picture["role"] == "img"
    assert picture["aria-label"]
    identities = [attributes["id"] for _tag, attributes in page.tags if "id" in attributes]
    assert len(set(identities)) == len(identities)
    for _tag, attributes in page.tags:
        for reference in ("aria-labelledby", "href"):
            if reference in attributes:
                assert attributes[reference].removeprefix("#") in identities


def test_on_a_phone_each_cell_names_its_column(data: dict[str, Any]) -> None:
    page = Page(rendered("html", data))
    names = {name for section in document_of(data).sections for name in columns_of(section)}
    cells = page.named("td")
    assert cells
    assert {cell["data-column"] for cell in cells} <= names
    style = " ".join(page.styles)
    assert "content: attr(data-column)" in style[style.index("@media screen and (max-width: 40rem)") :]


def columns_of(section: Section) -> list[str]:
    tables = [block for block in section.blocks if isinstance(block, Table)]
    return [column.name for table in tables for column in table.columns]


def test_findings_that_need_no_action_are_folded(data: dict[str, Any]) -> None:
    finding = data["validation"]["findings"][0]
    levels = ["error", "warning", "info", "info"]
    data["validation"]["findings"] = [{**finding, "level": level} for level in levels]
    text = rendered("html", data)
    assert len(Page(text).named("details")) == 1
    folded = text[text.index("<details>") : text.index("</details>")]
    assert "<summary>2 findings of level info</summary>" in folded
    assert folded.count("<tr>") == 1 + 2
    # Markdown has no such thing that every reader shows.
    assert rendered("markdown", data).count(finding["message"]) >= 4


def test_colours_can_be_read_light_and_dark(data: dict[str, Any]) -> None:
    style = Page(rendered("html", data)).styles[0]
    schemes = re.findall(r":root \{([^}]*)\}", style)
    assert len(schemes) == 2
    for scheme in schemes:
        colours = dict(re.findall(r"--(\w+): (#[0-9a-f]+)", scheme))
        for name in ("text", "faint", "error", "warning", "info", "good"):
            for ground in ("page", "raised"):
                assert contrast(colours[name], colours[ground]) >= 4.5, (name, ground)


def contrast(one: str, other: str) -> float:
    """As WCAG 2 has it."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(digit * 2 for digit in colour[1:])
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_paper_is_white(data: dict[str, Any]) -> None:
    style = " ".join(Page(rendered("html", data)).styles)
    assert "@media print" in style
    assert "@page" in style
    # Also of the picture within.
    assert (
        style.count("prefers-color-scheme: dark") == style.count("@media screen and (prefers-color-scheme: dark)") == 2
    )
