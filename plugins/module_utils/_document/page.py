# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The frame of every HTML page of the collection: one self-contained file without scripts."""

from __future__ import annotations

from html import escape

# Nothing is loaded and no script runs, whatever a text may contain.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
# Each text colour has a contrast of at least 4.5 : 1. Paper is white: dark is for screens only.
_STYLE = """
:root { color-scheme: light dark; --page: #fff; --text: #1c2128; --faint: #57606a; --line: #d0d7de; --raised: #f6f8fa;
  --error: #b3261e; --warning: #8a5a00; --info: #0b5cad; --good: #1a7f37; }
@media screen and (prefers-color-scheme: dark) { :root { --page: #0d1117; --text: #e6edf3; --faint: #9198a1;
  --line: #30363d; --raised: #161b22; --error: #ff7b72; --warning: #e3b341; --info: #79c0ff; --good: #56d364; } }
body { background: var(--page); color: var(--text); font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto;
  max-width: 60rem; padding: 0 1rem; }
h1 { font-size: 1.4rem; margin-bottom: 0; }
code { font: .9em ui-monospace, monospace; overflow-wrap: anywhere; }
.error { --level: var(--error); } .warning { --level: var(--warning); } .info { --level: var(--info); }
"""


def page(title: str, body: str, style: str = "") -> str:
    """``title`` is text; ``body`` is HTML and ``style`` is CSS, in which all foreign text is escaped."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}{style}</style></head><body>\n{body}\n</body></html>\n"
    )
