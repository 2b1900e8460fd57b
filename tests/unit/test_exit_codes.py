"""docs/exit-codes.md, where no cluster is needed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STAGING = ["-i", "inventories/staging"]
FAULTY = "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: cart}\nspec: {hots: [cart]}\n"


@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        (1, ["playbooks/sites.yml", *STAGING]),
        (1, ["playbooks/site.yml", "-i", "inventories/stagin"]),
        (1, ["playbooks/site.yml", *STAGING, "--limit", "nowhere"]),
        (2, ["playbooks/site.yml", *STAGING, "--chek"]),
        (4, ["playbooks/canary_abort.yml", "-e", "canary_service=order-service"]),
        (4, ["playbooks/site.yml", *STAGING, "--tags", "isto"]),
        (2, ["playbooks/inventory_new.yml", "-e", "name=preprod"]),
        (2, ["playbooks/release_failed.yml"]),
        (2, ["playbooks/canary_summary.yml", *STAGING]),
    ],
)
def test_a_call_ends_with_the_code_of_the_page(code: int, arguments: list[str]) -> None:
    assert run(*arguments) == code


@pytest.mark.parametrize(("fail_on", "code"), [("error", 2), ("never", 0)])
def test_findings_fail_the_validation_by_their_level(fail_on: str, code: int, tmp_path: Path) -> None:
    (tmp_path / "cart.yml").write_text(FAULTY)
    given = {"validate_live": False, "validate_paths": [str(tmp_path)], "validate_fail_on": fail_on}
    assert run("playbooks/validate.yml", "-e", json.dumps(given)) == code


def run(*arguments: str) -> int:
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "K8S_AUTH_HOST": "https://127.0.0.1:1"}
    program = str(Path(sys.executable).parent / "ansible-playbook")
    done = subprocess.run([program, *arguments], cwd=ROOT, env=environment, capture_output=True, check=False)
    return done.returncode
