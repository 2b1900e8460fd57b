# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documentation site: the repository's pages as they are, and what antsibull-docs makes of the collection."""

import re
from importlib.resources import files

from docutils import nodes
from pygments.lexers.special import TextLexer

project = "corpv3.service_mesh"
project_copyright = "2026, Corporation v3 platform team"
extensions = ["myst_parser", "sphinx_antsibull_ext"]
# index.rst shows it as the first page.
exclude_patterns = ["README.md"]
# Anchors as GitHub makes them.
myst_heading_anchors = 6
highlight_language = "none"


def colors(scheme: str) -> dict[str, str]:
    """antsibull's colours as variables of the theme, which alone knows whether the reader wants it dark."""
    css = files("sphinx_antsibull_ext").joinpath(f"colors-default{scheme}.css").read_text()
    return {
        **dict(re.findall(r"--(antsibull[\w-]+):([^;}]+)", css)),
        "antsibull-table-border": "var(--color-background-border)",
    }


html_theme = "furo"
html_title = project
html_copy_source = False
html_use_index = False
html_static_path = ["site.css"]
html_css_files = ["site.css"]
html_theme_options = {"light_css_variables": colors(""), "dark_css_variables": colors("-dark")}
antsibull_ext_color_scheme = "none"

ANSIBLE = "https://docs.ansible.com/ansible/latest"
PREFIX = "ansible_collections."
# What the pages of antsibull-docs refer to beside collections.
ANSIBLE_PAGES = {
    "action_plugins": "plugins/action.html",
    "ansible_configuration_settings": "reference_appendices/config.html",
    "common_return_values": "reference_appendices/common_return_values.html",
}


def elsewhere(app, env, node, content):
    """Labels of Ansible and of other collections lead to docs.ansible.com, without asking it as intersphinx would."""
    target = node["reftarget"]
    if target.startswith(PREFIX) and not target.startswith(f"{PREFIX}{project}."):
        namespace, name, *plugin = target.removeprefix(PREFIX).split("__")[0].split(".")
        page = f"collections/{namespace}/{name}/{plugin[0] if plugin else 'index'}.html"
    elif target in ANSIBLE_PAGES:
        page = ANSIBLE_PAGES[target]
    else:
        return None
    return nodes.reference("", "", content, refuri=f"{ANSIBLE}/{page}")


def shorter(app, docname, source):
    """Leave out what the theme shows, too, and what is repeated; in the list of pages, only names."""
    if not docname.startswith("collection/"):
        return
    text = re.sub(r"\n\.\. contents::\n(?: +:.*\n)+", "\n", source[0])
    if docname == "collection/index":
        text = re.sub(r"^Corpv3\.Service_Mesh\n=+$", "Modules and roles\n=================", text, flags=re.MULTILINE)
        text = re.sub(r"^    (\w+)_(module|role)$", r"    \1 \2 <\1_\2>", text, flags=re.MULTILINE)
    if docname.endswith("_role"):
        text = with_options_once(text)
    source[0] = text


def with_options_once(text: str) -> str:
    """A role's page that begins with the entry point main, to which the others, with the same options, refer."""
    head, *entries, tail = re.split(r"(?=\n\.\. _\S+__entrypoint-)|(?=\n\.\. Extra links\n)", text)
    main = next(entry for entry in entries if "__entrypoint-main:" in entry)
    label = re.findall(r"\.\. _(\S+__entrypoint-main):", main)[0]
    options = re.compile(r"\nParameters\n\^+\n.*?(?=\n\.\. Attributes\n)", re.DOTALL)
    others = [
        options.sub(f"\nIts parameters are :ref:`main's <{label}>`.\n", entry) for entry in entries if entry is not main
    ]
    return re.sub(r"#role:\w+:", "#role:main:", "".join([head, main, *others, tail]))


def setup(app):
    app.connect("source-read", shorter)
    app.connect("missing-reference", elsewhere)
    # GitHub draws it; here it is text.
    app.add_lexer("mermaid", TextLexer)
