"""The blocks of commands of the runbooks and of other pages, and a bash that runs them on the lab as they stand."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from .canary_lab import ROOT

FOLDER = ROOT / "docs/runbooks"
_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
_NOT_ON_THE_LAB = re.compile(r"\*Not on the lab: ([^*]+)\*\s*\Z")
_CHANGES = re.compile(
    r"ansible-playbook|kubectl\b[^|\n]*\s(patch|delete|create|apply|scale|rollout restart|rollout undo|cordon|drain"
    r"|uncordon|taint)\b"
)


@dataclass(frozen=True)
class Block:
    """What stands between two fences."""

    page: str
    number: int
    text: str
    # Why it cannot run on the lab, in the page's words; empty where it can.
    elsewhere: str

    @property
    def name(self) -> str:
        return f"{self.page}-{self.number}"

    @property
    def changes(self) -> bool:
        """Whether it does more than look, or takes more than a second."""
        return bool(_CHANGES.search(self.text))


def pages() -> list[str]:
    """Without README."""
    return sorted(path.stem for path in FOLDER.glob("*.md") if path.name != "README.md")


def blocks(page: str) -> list[Block]:
    """Those of a runbook."""
    return blocks_of(FOLDER / f"{page}.md")


def blocks_of(path: Path) -> list[Block]:
    """The blocks of a page that are for bash, in their order."""
    text, page = path.read_text(encoding="utf-8"), path.stem
    found = []
    for fence in _FENCE.finditer(text):
        if fence["language"] == "bash":
            reason = _NOT_ON_THE_LAB.search(text[: fence.start()])
            commands = textwrap.dedent(fence["text"])
            found.append(Block(page, len(found) + 1, commands, " ".join(reason[1].split()) if reason else ""))
    return found


def preparation() -> str:
    """The variables that README sets on the lab."""
    return next(block.text for block in blocks("README") if not block.elsewhere)


class Shell:
    """Runs the blocks of one page: what one has set, the next one knows. Every command of a block must succeed."""

    def __init__(
        self, kubeconfig: Path, folder: Path, variables: Mapping[str, object] | None = None, cwd: Path = ROOT
    ) -> None:
        self.cwd = cwd
        lab = kubeconfig.resolve().parent
        settings = json.loads((lab / "settings.json").read_text(encoding="utf-8"))
        offset = settings["port_offset"]
        extra = folder / "variables.json"
        given = {"lab_name": settings["name"], "lab_port_offset": offset, **(variables or {})}
        extra.write_text(json.dumps(given), encoding="utf-8")
        self._state = folder / "state.sh"
        self._environment = {
            "LAB": str(lab),
            "CLUSTER": f"-i inventories/lab -e @{extra}",
            "GATEWAY": f"http://127.0.0.1:{8080 + offset}",
            "GATEWAY_TLS": f"127.0.0.1:{8443 + offset}",
            "PROMETHEUS": f"http://127.0.0.1:{9090 + offset}",
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        }

    def set(self, **values: str) -> None:
        """What the page leaves to its reader."""
        self._environment.update(values)

    def run(self, text: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            # Without the variables that bash itself keeps.
            self._argv(text, f"export -p | sed '/^declare -[a-z]*r/d' > '{self._state}'"),
            cwd=self.cwd,
            env={**os.environ, **self._environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    @contextmanager
    def running(self, text: str) -> Iterator[None]:
        """A block for another terminal, until the end of the context."""
        process = subprocess.Popen(
            self._argv(text),
            cwd=self.cwd,
            env={**os.environ, **self._environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            yield
            assert process.poll() is None, f"it ended: {text}"
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            process.wait()

    def _argv(self, *texts: str) -> list[str]:
        script = [preparation(), f"[ ! -e '{self._state}' ] || . '{self._state}'", *texts]
        return ["bash", "-aeuo", "pipefail", "-c", "\n".join(script)]
