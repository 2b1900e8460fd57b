"""The pages: the check of their links finds what it is there for, and the design names every part."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
_spec = importlib.util.spec_from_file_location("links", ROOT / "tools/links.py")
assert _spec and _spec.loader
links = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(links)


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("docs/design.md", ""),
        ("docs", ""),
        ("docs/design.md#which-cluster", ""),
        ("#requirements", ""),
        ("docs/missing.md", "leads to no file of the repository"),
        ("docs/Design.md", "leads to no file of the repository"),
        (".lab/kubeconfig", "leads to no file of the repository"),
        ("docs/design.md#which-clusters", "leads to no heading of docs/design.md"),
        ("#no-such-heading", "leads to no heading of README.md"),
    ],
)
def test_a_link_leads_to_a_file_and_a_heading_of_the_repository(target: str, why: str) -> None:
    assert links.wrong(ROOT / "README.md", target) == why


def test_an_escaped_address_is_an_address(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(r"[a](https\://example\.com/a\-b) [b](missing\.md)")
    assert [problem.partition("link ")[2] for problem in links.problems_of(page)] == [
        "missing.md leads to no file of the repository"
    ]


def test_paths_are_looked_for_in_code_alone_and_placeholders_are_left_out() -> None:
    text = """
playbooks/prose.yml, `playbooks/span.yml`, `inventories/<environment>/hosts.yml`, `istio.io/inject`, `roles/*/tasks`

```
ansible-playbook playbooks/block.yml -i inventories/ENV --tags docs/x
curl https://example.com/docs/index.html ~/roles/mine $PWD/tools/own.sh
```
"""
    assert set(links.paths_in(text)) == {"playbooks/span.yml", "playbooks/block.yml", "roles/*/tasks", "docs/x"}


@pytest.mark.parametrize(
    ("path", "there"),
    [
        ("playbooks/site.yml", True),
        ("roles/*/tasks", True),
        ("tests/output", True),  # made by a command, and ignored by git
        ("playbooks/sites.yml", False),
        ("roles/*/task", False),
    ],
)
def test_a_path_is_one_of_the_repository_or_made_by_a_command(path: str, there: bool) -> None:
    assert links.exists(path) is there


@pytest.mark.parametrize(
    ("layer", "things"),
    [
        ("playbooks", (ROOT / "playbooks").glob("*.yml")),
        ("roles", (ROOT / "roles").iterdir()),
        ("modules", (ROOT / "plugins/modules").glob("[!_]*.py")),
    ],
)
def test_the_design_page_names_everything_that_a_layer_has(layer: str, things: Iterator[Path]) -> None:
    page = (ROOT / "docs/design.md").read_text()
    table = re.search(rf"^\| {layer} \| \|\n((?:\|.*\n)+)", page, re.MULTILINE)
    assert table
    assert set(re.findall(r"`(\w+)`", table[1])) == {path.stem for path in things}


def test_the_page_on_testing_names_every_file_of_the_soak() -> None:
    page = (ROOT / "docs/testing.md").read_text()
    assert set(re.findall(r"^\| `(test_\w+\.py)` \|", page, re.MULTILINE)) == {
        path.name for path in (ROOT / "tests/soak").glob("test_*.py")
    }


def test_every_playbook_begins_with_what_the_site_shows_of_it() -> None:
    without = [path.name for path in (ROOT / "playbooks").glob("*.yml") if not path.read_text().startswith("---\n# ")]
    assert not without


def every_test() -> set[str]:
    """The names of all tests."""
    paths = (ROOT / "tests").rglob("test_*.py")
    return {name for path in paths for name in re.findall(r"def (test_\w+)", path.read_text())}


def test_each_item_of_the_peers_that_canaries_have_names_a_test() -> None:
    section = (ROOT / "docs/canary.md").read_text().split("## Beside Flagger and Argo Rollouts\n")[1].split("\n## ")[0]
    __, *rows = re.findall(r"^\| ([^|*]+) \| (\w+) \| ([^|]*)\|$", section, re.MULTILINE)
    assert len(rows) > 50
    assert {status for __, status, __ in rows} == {"has", "partly", "lacks"}
    there = every_test()
    for item, status, proof in rows:
        named = re.findall(r"`(test_\w+)`", proof)
        assert status != "has" or named, item
        assert set(named) <= there, item


def test_every_finding_of_the_canarys_review_has_tests_of_its_name() -> None:
    section = (ROOT / "docs/canary.md").read_text().split("## What a review found\n")[1].split("\n## ")[0]
    rows = dict(re.findall(r"^\| ([BM]\d+) \|.*\| ([^|]+) \|$", section, re.MULTILINE))
    assert list(rows) == [f"B{number}" for number in range(1, 8)] + [f"M{number}" for number in range(1, 20)]
    there = every_test()
    for finding, named in rows.items():
        tests = re.findall(r"`(\w+)`", named)
        assert tests, finding
        assert [name for name in tests if not name.startswith(f"test_{finding.lower()}_") or name not in there] == []


def test_the_site_and_readme_name_every_page() -> None:
    index, readme = ((ROOT / name).read_text() for name in ("tools/docs/index.rst", "README.md"))
    for page in (ROOT / "docs").glob("*.md"):
        assert f"docs/{page.stem}\n" in index, page.name
        assert f"(docs/{page.name}" in readme, page.name


def test_the_page_on_exit_codes_has_every_playbook() -> None:
    table = (ROOT / "docs/exit-codes.md").read_text().partition("## By playbook")[2]
    rows = re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE)
    named = sorted(name for row in rows for name in re.findall(r"`(\w+)`", row))
    assert named == sorted(path.stem for path in (ROOT / "playbooks").glob("*.yml"))


# What Ansible and kubernetes.core write.
OTHERS = [
    "Failed to import the required Python library",
    "Module result deserialization failed",
    "failed calling webhook",
]


def sources() -> str:
    """What the collection writes: its code in one line, its texts joined, options named as its roles name them."""
    found = [path for name in ("plugins", "roles", "playbooks") for path in (ROOT / name).rglob("*")]
    texts = [path.read_text() for path in found if path.suffix in {".py", ".yml", ".j2"}]
    text = " ".join(re.sub(r'"\s*\n\s*f?"', "", "\n".join(texts)).split())
    return re.sub(r"\bexpected_(uid|server)\b", r"service_mesh_cluster_\1", text)


def test_troubleshooting_quotes_messages_as_they_are() -> None:
    page = (ROOT / "docs/troubleshooting.md").read_text()
    first = [row.split(" | ")[0] for row in page.splitlines() if row.startswith("| ")]
    quoted = [quote for cell in first for quote in re.findall(r"`([^`]+)`", cell) if " " in quote]
    assert len(quoted) > 30
    pieces = {piece.strip(" .:,()'") for quote in quoted for piece in quote.split("…")}
    written = sources()
    missing = [piece for piece in pieces if len(piece) > 8 and piece not in written]
    assert [piece for piece in missing if not piece.startswith(tuple(OTHERS))] == []


def test_the_changelog_lists_what_the_version_in_galaxy_yml_has() -> None:
    version = yaml.safe_load((ROOT / "galaxy.yml").read_text())["version"]
    released = yaml.safe_load((ROOT / "changelogs/changelog.yaml").read_text())["releases"][version]
    listed = {
        "modules": released["modules"],
        "roles": released["objects"]["role"],
        **{kind: released["plugins"][kind] for kind in ("filter", "lookup", "test")},
    }
    there = {
        "modules": {path.stem for path in (ROOT / "plugins/modules").glob("[!_]*.py")},
        "roles": {path.parents[1].name for path in (ROOT / "roles").glob("*/meta/argument_specs.yml")},
        **{
            kind: {path.stem for path in (ROOT / "plugins" / kind).glob("[!_]*.py")}
            for kind in ("filter", "lookup", "test")
        },
    }
    assert {kind: {entry["name"] for entry in entries} for kind, entries in listed.items()} == there
