# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""A self-contained page for change records and mails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._document.page import page
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.report.table import conclusion, what, where

_STYLE = """
p.sum { color: var(--faint); margin-top: .3rem; }
ul.codes { display: flex; flex-wrap: wrap; gap: .4rem 1.2rem; list-style: none; padding: 0; }
ul.codes a { color: inherit; }
article { border-left: .3rem solid var(--level); margin: 1.2rem 0; padding: .1rem 0 .1rem 1rem; break-inside: avoid; }
h2 { font-size: 1rem; margin: 0; } h2 b { color: var(--level); text-transform: uppercase; font-size: .8em; }
h2 a { color: inherit; }
dl { display: grid; grid-template-columns: 6rem 1fr; margin: .4rem 0; gap: .1rem .8rem; }
dt { color: var(--faint); } dd { margin: 0; }
"""


def html(findings: Sequence[Mapping[str, Any]], summary: Mapping[str, Any], title: str) -> str:
    codes: dict[str, list[Mapping[str, Any]]] = {}
    for finding in findings:
        codes.setdefault(finding["code"], []).append(finding)
    index = "".join(
        f'<li class="{found[0]["level"]}"><a href="#{escape(code)}">{escape(code)}</a> {len(found)}</li>'
        for code, found in sorted(codes.items())
    )
    seen: set[str] = set()
    articles = "\n".join(_article(finding, seen) for finding in findings)
    return page(
        title,
        f"<h1>{escape(title)}</h1>\n<p class=sum>{escape(conclusion(summary))}</p>\n"
        f"<ul class=codes>{index}</ul>\n{articles}",
        _STYLE,
    )


def _article(finding: Mapping[str, Any], seen: set[str]) -> str:
    anchor = "" if finding["code"] in seen else f' id="{escape(finding["code"])}"'
    seen.add(finding["code"])
    codes = " ".join([finding["code"], *finding["aliases"]])
    link = f'<a href="{escape(finding["docs"])}">{escape(codes)}</a>' if finding["docs"] else escape(codes)
    rows = [("where", f"<code>{escape(where(finding))}</code>")]
    if finding["file"] and finding["field"]:
        rows.append(("field", f"<code>{escape(finding['field'])}</code>"))
    rows += [(name, escape(finding[name])) for name in ("why", "remedy") if finding[name]]
    details = "".join(f"<dt>{name}</dt><dd>{text}</dd>" for name, text in rows)
    return (
        f'<article class="{finding["level"]}"{anchor}><h2><b>{finding["level"]}</b> {link} {escape(what(finding))}</h2>'
        f"<div>{escape(finding['message'])}</div><dl>{details}</dl></article>"
    )
