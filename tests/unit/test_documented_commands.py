"""Every command of the pages: it is one that its program takes, and a test runs it, or the list says why none can."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.cli.playbook import PlaybookCLI
from ansible_collections.corpv3.service_mesh.plugins.module_utils._console import arguments

from .support.page_commands import Command, commands, commands_in

ROOT = Path(__file__).resolve().parents[2]
COLLECTION = "corpv3.service_mesh."
LIST = yaml.safe_load((ROOT / "tests/unit/documented_commands.yml").read_text())
COMMANDS = commands()
# A test runs each command of these, page by page.
RUN_AS_A_WHOLE = ("docs/runbooks/", "docs/own-application.md")
# What its user fills in.
PLACEHOLDER = re.compile(r"\$\w+|[A-Z]{2,}|\.\.\.")
# Tags of every playbook, and of the component that CONTRIBUTING adds as an example.
TAGS = {"all", "tempo"}
# Variables that Ansible itself has.
ANSIBLES = re.compile(r"ansible_\w+")


def of(program: str) -> list[Any]:
    found = [command for command in COMMANDS if command.words[:1] == [program]]
    return [pytest.param(command, id=command.name) for command in found]


@pytest.mark.parametrize("command", of("ansible-playbook"))
def test_a_playbook_is_called_as_it_can_be(command: Command) -> None:
    written = re.findall(r"cat > (\S+)", (ROOT / command.page).read_text())
    assert [*faults(command.words[1:], written)] == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("ansible-playbook playbooks/canary.yml -i inventories/lab -e canary_service=menu", ""),
        ("ansible-playbook corpv3.service_mesh.validate -e '{\"validate_live\": false}'", ""),
        ("ansible-playbook playbooks/sites.yml", "no playbook playbooks/sites.yml"),
        ("ansible-playbook corpv3.service_mesh.sites", "no playbook corpv3.service_mesh.sites"),
        ("ansible-playbook playbooks/site.yml -i inventories/stagin", "no inventory inventories/stagin"),
        ("ansible-playbook playbooks/canary.yml -e canary_servce=menu", "canary.yml has no variable canary_servce"),
        ("ansible-playbook playbooks/canary.yml -e istio_version=1.31", "canary.yml has no variable istio_version"),
        (
            "ansible-playbook playbooks/validate.yml -e '{\"validate_path\": []}'",
            "validate.yml has no variable validate_path",
        ),
        ("ansible-playbook playbooks/site.yml --tags isto", "site.yml has no tag isto"),
        ("ansible-playbook playbooks/site.yml --chek", "not an option: --chek"),
    ],
)
def test_a_fault_of_a_command_is_found(text: str, fault: str) -> None:
    assert "; ".join(faults(Command("", text).words[1:])) == fault


def faults(argv: list[str], written: Sequence[str] = ()) -> Any:
    """What is wrong with a call of ansible-playbook, by its own parser and by the roles' argument specs.

    ``written``: the files that the page's own commands write.
    """
    parser = _parser()
    given, unknown = parser.parse_known_args(argv)
    yield from (f"not an option: {word}" for word in unknown)
    for inventory in given.inventory or ():
        if not PLACEHOLDER.search(inventory) and inventory not in written and not (ROOT / inventory).exists():
            yield f"no inventory {inventory}"
    for name in given.args:
        if PLACEHOLDER.fullmatch(name):
            continue
        path = playbook(name)
        if not path.is_file():
            yield f"no playbook {name}"
            continue
        for tag in ",".join(given.tags).split(","):
            if tag and tag not in TAGS and not re.search(rf"tags: \[[^\]]*\b{tag}\b", path.read_text()):
                yield f"{path.name} has no tag {tag}"
        yield from _unknown_variables(path, given.extra_vars)


def _unknown_variables(path: Path, extra: list[str]) -> Any:
    for name in variables(extra):
        if not ANSIBLES.fullmatch(name) and name not in options_of(path) and not _is_read(path, name):
            yield f"{path.name} has no variable {name}"


def _is_read(path: Path, name: str) -> bool:
    """By the playbook itself, or by the tasks of roles that it names."""
    texts = path.read_text()
    for role, tasks in re.findall(r"name: corpv3\.service_mesh\.(\w+)\n +tasks_from: (\w+)", texts):
        texts += (ROOT / f"roles/{role}/tasks/{tasks}.yml").read_text()
    if name.startswith("service_mesh_"):
        texts += "".join(file.read_text() for file in (ROOT / "roles").rglob("*/main.yml"))
    code = "\n".join(line for line in texts.splitlines() if not line.startswith("#"))
    return bool(re.search(rf"(?<!\w){name}\b", code))


def variables(extra: list[str]) -> list[str]:
    """The names that -e sets. A file's, and those of a variable of the shell, are not known."""
    found: list[str] = []
    for text in extra:
        if text.startswith("{"):
            found += yaml.safe_load(re.sub(r"\$\w+,?", "", text))
        elif not text.startswith("@"):
            found += re.findall(r"(\w+)=", text.partition(" ")[0])
    return found


def playbook(name: str) -> Path:
    if name.startswith(COLLECTION):
        return ROOT / f"playbooks/{name.removeprefix(COLLECTION)}.yml"
    return ROOT / name


@cache
def options_of(path: Path) -> dict[str, Any]:
    """The options of every role that the playbook uses, and of those that these depend on."""
    named: set[str] = set(re.findall(r"(?:role|name): corpv3\.service_mesh\.(\w+)", path.read_text())) | {"preflight"}
    for meta in [path for role in named for path in (ROOT / f"roles/{role}/meta").glob("main.yml")]:
        named |= set(re.findall(r"role: corpv3\.service_mesh\.(\w+)", meta.read_text()))
    found: dict[str, Any] = {}
    for role in named:
        specs = ROOT / f"roles/{role}/meta/argument_specs.yml"
        if specs.exists():
            found |= yaml.safe_load(specs.read_text())["argument_specs"]["main"]["options"]
    return found


@cache
def _parser() -> argparse.ArgumentParser:
    program = PlaybookCLI(["ansible-playbook"])
    program.init_parser()
    parser: argparse.ArgumentParser = program.parser
    return parser


@pytest.mark.parametrize("command", of("ansible-doc"))
def test_the_documentation_that_a_page_names_exists(command: Command) -> None:
    folder = "roles/{}/meta/argument_specs.yml" if "role" in command.words else "plugins/modules/{}.py"
    for word in command.words:
        name = word.removeprefix(COLLECTION)
        if word != name and not PLACEHOLDER.search(name):
            assert (ROOT / folder.format(name)).is_file(), command.name


@pytest.mark.parametrize("command", of("mesh-validate"))
def test_the_console_program_takes_it(command: Command) -> None:
    arguments._parser().parse_args(command.words[1:])


@pytest.mark.parametrize("command", of("make"))
def test_make_has_the_target(command: Command) -> None:
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {word for word in command.words[1:] if "=" not in word} <= set(targets)


def row_of(text: str) -> dict[str, Any] | None:
    return next((row for row in LIST if re.match(row["command"], text)), None)


def test_each_command_is_run_by_a_test_or_has_a_reason() -> None:
    unknown = [c.name for c in COMMANDS if not c.page.startswith(RUN_AS_A_WHOLE) and row_of(c.text) is None]
    assert unknown == [], "name a test or a reason in tests/unit/documented_commands.yml"


def test_the_list_has_nothing_that_no_page_has() -> None:
    used = [row_of(command.text) for command in COMMANDS]
    assert [row["command"] for row in LIST if row not in used] == []


@pytest.mark.parametrize("row", LIST, ids=[row["command"] for row in LIST])
def test_a_line_of_the_list_names_tests_that_exist_or_gives_a_reason(row: dict[str, Any]) -> None:
    assert row.get("tests") or len(row["reason"].split()) > 3
    for test in row.get("tests", ()):
        path, _colons, function = test.partition("::")
        text = (ROOT / path).read_text()
        assert not function or f"def {function}(" in text, test


def test_commands_are_found_where_pages_have_them() -> None:
    page = """
Run `make up`, then `playbooks/canary_status.yml -i inventories/lab`; `kubectl wait` is a mention.

    ansible-playbook playbooks/site.yml \\
      -i inventories/lab      # a comment

```
$ curl http://127.0.0.1/
200
```

```bash
promql 'up == 0'
ansible-playbook playbooks/lab_up.yml -e '{"a": 1,
  "b": 2}'
```

```yaml
- make: this
```
"""
    assert [*commands_in(page)] == [
        "$ curl http://127.0.0.1/",
        "promql 'up == 0'",
        'ansible-playbook playbooks/lab_up.yml -e \'{"a": 1,\n  "b": 2}\'',
        "ansible-playbook playbooks/site.yml -i inventories/lab",
        "make up",
        "ansible-playbook playbooks/canary_status.yml -i inventories/lab",
    ]
