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
from ansible_collections.corpv3.service_mesh.plugins.module_utils._mesh.finding import LEVELS
from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.report.table import conclusion, what, where

_STYLE = """
p.sum { color: var(--faint); margin-top: .3rem; }
.lists { display: flex; flex-direction: column; gap: 1.2rem; margin-bottom: 2rem; }
form { color: var(--faint); display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; margin: .8rem 0; }
form label { white-space: nowrap; }
:root:has(#show-error:not(:checked)) article.error, :root:has(#show-warning:not(:checked)) article.warning,
:root:has(#show-info:not(:checked)) article.info { display: none; }
:root:has(#by-level:checked) .lists article { order: var(--by-level); }
:root:has(#by-code:checked) .lists article { order: var(--by-code); }
article:target, section:target { background: var(--raised); }
section.about pre { overflow-x: auto; font: .85em/1.4 ui-monospace, monospace; }
@media print { form { display: none; } .lists { display: block; } .lists article { margin: 1.2rem 0; } }
ul.codes { display: flex; flex-wrap: wrap; gap: .4rem 1.2rem; list-style: none; padding: 0; }
ul.codes a { color: inherit; }
article { border-left: .3rem solid var(--level); margin: 0; padding: .1rem 0 .1rem 1rem; break-inside: avoid; }
h2 { font-size: 1rem; margin: 0; } h2 b { color: var(--level); text-transform: uppercase; font-size: .8em; }
h2 a { color: inherit; }
dl { display: grid; grid-template-columns: 4rem minmax(0, 1fr); margin: .4rem 0; gap: .1rem .8rem; }
dt { color: var(--faint); } dd { margin: 0; overflow-wrap: anywhere; }
"""
# Codes that have no page of Istio's or Kiali's.
_OWN = "MESH"
_FORM = """<form>
<span>Order:</span> <label><input type=radio name=order id=by-file checked> by file</label>
<label><input type=radio name=order id=by-level> by level</label>
<label><input type=radio name=order id=by-code> by code</label>
<span>Show:</span> <label><input type=checkbox id=show-error checked> errors</label>
<label><input type=checkbox id=show-warning checked> warnings</label>
<label><input type=checkbox id=show-info checked> info</label>
</form>
"""


def html(findings: Sequence[Mapping[str, Any]], summary: Mapping[str, Any], title: str) -> str:
    """Order and filter need no script: CSS reads the state of the fields."""
    codes: dict[str, list[Mapping[str, Any]]] = {}
    for finding in findings:
        codes.setdefault(finding["code"], []).append(finding)
    index = "".join(
        f'<li class="{found[0]["level"]}"><a href="#{escape(code)}">{escape(code)}</a> {len(found)}</li>'
        for code, found in sorted(codes.items())
    )
    places = {code: place for place, code in enumerate(sorted(codes))}
    own = {code: text for code in places if code.startswith(_OWN) and (text := _explained(code))}
    seen: set[str] = set()
    articles = "\n".join(_article(finding, places[finding["code"]], own, seen) for finding in findings)
    about = "\n".join(
        f'<section class=about id="about-{escape(code)}"><pre>{escape(text)}</pre></section>'
        for code, text in own.items()
    )
    return page(
        title,
        f"<h1>{escape(title)}</h1>\n<p class=sum>{escape(conclusion(summary))}</p>\n"
        f"<ul class=codes>{index}</ul>\n{_FORM if findings else ''}<div class=lists>\n{articles}\n</div>\n"
        + (f"<h2>The codes in detail</h2>\n{about}" if about else ""),
        _STYLE,
    )


def _explained(code: str) -> str:
    """As --explain has it; empty for a user's own check."""
    # Here, because it also imports the examples.
    from ansible_collections.corpv3.service_mesh.plugins.module_utils._validate.explain import explained_if_known

    return explained_if_known(code)


def _article(finding: Mapping[str, Any], place: int, own: Mapping[str, str], seen: set[str]) -> str:
    """``place``: of its code, in their order. ``own``: codes that the page explains itself."""
    anchor = "" if finding["code"] in seen else f' id="{escape(finding["code"])}"'
    seen.add(finding["code"])
    order = f"--by-level:{LEVELS.index(finding['level'])};--by-code:{place}"
    codes = " ".join([finding["code"], *finding["aliases"]])
    address = f"#about-{finding['code']}" if finding["code"] in own else finding["docs"]
    link = f'<a href="{escape(address)}">{escape(codes)}</a>' if address else escape(codes)
    rows = [("where", f"<code>{escape(where(finding))}</code>")]
    if finding["file"] and finding["field"]:
        rows.append(("field", f"<code>{escape(finding['field'])}</code>"))
    rows += [(name, escape(finding[name])) for name in ("why", "remedy") if finding[name]]
    if finding["code"] in own and finding["docs"]:
        rows.append(("see", f'<a href="{escape(finding["docs"])}">{escape(finding["docs"])}</a>'))
    details = "".join(f"<dt>{name}</dt><dd>{text}</dd>" for name, text in rows)
    head = f"<h2><b>{finding['level']}</b> {link} {escape(what(finding))}</h2>"
    return (
        f'<article class="{finding["level"]}"{anchor} style="{order}">{head}'
        f"<div>{escape(finding['message'])}</div><dl>{details}</dl></article>"
    )
