"""The runbooks' commands: none hides in a sentence, and what cannot run on the lab is listed here."""

from __future__ import annotations

import re
import subprocess
from collections import Counter

import pytest

from ..integration.support.runbook_pages import FOLDER, blocks, pages, preparation

OPERATIONS = {
    "deploy",
    "canary",
    "canary_abort",
    "certificate_renewal",
    "istio_upgrade",
    "istio_registries_moved",
    "database_restore",
    "database_restore_to_time",
    "database_failover",
    "postgresql_major_upgrade",
    "node_loss",
    "volume_almost_full",
    "ingress_gateway_down",
    "rotate_secrets",
}
CHAPTERS = ["When", "What you see", "Do", "It worked when", "Roll back"]
# Page: how many of its blocks cannot run on the lab. All others do, in tests/soak/test_runbooks.py.
ELSEWHERE = {
    "alertmanager_delivery_failing": 1,
    "certificate_issuance_failing": 1,
    "database_failover": 4,
    "database_restore": 4,
    "database_restore_to_time": 3,
    "gateway_certificate_expiring": 1,
    "istio_root_certificate_expiring": 2,
    "istiod_push_errors": 1,
    "loki_down": 1,
    "no_traffic_at_gateway": 1,
    "postgresql_archive_stopped": 2,
    "postgresql_down": 1,
    "postgresql_major_upgrade": 3,
    "postgresql_replica_missing": 3,
    "prometheus_configuration_rejected": 1,
    "prometheus_storage_failing": 2,
    "proxy_rejects_configuration": 1,
    "rabbitmq_holds_publishers_back": 2,
    "rotate_secrets": 1,
}
NEEDS_A_CONTAINER = re.compile(r"kubectl[^|\n]* exec |port-forward")
BLOCKS = [block for page in pages() for block in blocks(page)]
COMMANDS = "kubectl|ansible-playbook|istioctl|promql|prometheus /|curl|openssl|helm"


def test_every_operation_has_its_page_and_is_listed() -> None:
    listed = (FOLDER / "README.md").read_text().partition("| operation |")[2]
    assert set(re.findall(r"\]\((\w+)\.md\)", listed)) == OPERATIONS
    assert set(pages()) >= OPERATIONS


@pytest.mark.parametrize("page", pages())
def test_the_page_has_its_chapters_and_something_to_do(page: str) -> None:
    text = (FOLDER / f"{page}.md").read_text()
    assert re.findall("^## (.+)$", text, re.MULTILINE) == CHAPTERS
    assert blocks(page)
    todo = text.partition("## Do")[2].partition("## It worked when")[0]
    assert "```bash" in todo


@pytest.mark.parametrize("page", pages())
def test_no_command_hides_outside_a_block(page: str) -> None:
    text = (FOLDER / f"{page}.md").read_text()
    assert re.findall(rf"`(?:{COMMANDS})[ ][^`]*`", text) == []
    assert re.findall(r"^ {4,}\w.*", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE) == []
    assert set(re.findall(r"```(\w*)\n", text)) <= {"bash", "text", ""}


def test_blocks_that_cannot_run_on_the_lab_give_the_reason() -> None:
    assert Counter(block.page for block in BLOCKS if block.elsewhere) == ELSEWHERE
    # A reason is a sentence.
    assert [block.name for block in BLOCKS if block.elsewhere and len(block.elsewhere.split()) < 4] == []


def test_nothing_that_needs_a_container_is_reported_to_run() -> None:
    assert [block.name for block in BLOCKS if not block.elsewhere and NEEDS_A_CONTAINER.search(block.text)] == []


@pytest.mark.parametrize("page", pages())
def test_bash_can_read_it(page: str) -> None:
    text = "\n".join(block.text for block in blocks(page))
    done = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", pages())
def test_a_reader_knows_every_variable(page: str) -> None:
    text = (FOLDER / f"{page}.md").read_text()
    prose = re.sub(r"```bash\n.*?```", "", text, flags=re.DOTALL)
    commands = "\n".join(block.text for block in blocks(page))
    known = set(re.findall(r"(\w+)(?::)?=", preparation() + commands))
    used = set(re.findall(r"\$\{?(\w+)", commands))
    assert {name for name in used - known if f"`{name}`" not in prose and not name.isdigit()} == set()


def test_playbooks_and_their_tags_exist() -> None:
    root = FOLDER.parents[1]
    site = (root / "playbooks/site.yml").read_text()
    known = {tag for tags in re.findall(r"tags: \[([^\]]+)\]", site) for tag in tags.split(", ")}
    for block in BLOCKS:
        for playbook in re.findall(r"ansible-playbook (\S+)", block.text):
            assert (root / playbook).is_file(), f"{block.name}: {playbook}"
        used = {tag for tags in re.findall(r"--tags (\S+)", block.text) for tag in tags.split(",")}
        assert used <= known, block.name
        assert block.text.count("ansible-playbook") == block.text.count("$CLUSTER"), block.name
