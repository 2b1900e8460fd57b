# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The cache between runs: what is taken from it, what makes it invalid, and what is wrong with its folder."""

from __future__ import annotations

import io
import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.corpv3.service_mesh.plugins.module_utils._console import main as console
from ansible_collections.corpv3.service_mesh.plugins.module_utils._console import run as console_run
from ansible_collections.corpv3.service_mesh.plugins.module_utils._console import run_cache, run_key
from ansible_collections.corpv3.service_mesh.plugins.module_utils._console.run_cache import Shown
from ansible_collections.corpv3.service_mesh.plugins.module_utils._istio.annotations import PREFIX

from .test_main import FIXED, ROUTE

KUSTOMIZATION = "resources: [a.yaml]\n"


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One item for each run that was not taken from the cache, in a folder with one file."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "route.yaml").write_text(ROUTE)
    monkeypatch.chdir(tmp_path)
    done: list[int] = []
    real = console_run.answered

    def counted(*arguments: object) -> object:
        done.append(1)
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(console_run, "answered", counted)
    return done


def test_an_unchanged_input_is_not_checked_again(runs: list[int], capsys: pytest.CaptureFixture[str]) -> None:
    Path("mesh-validate.yml").write_text("suppress: [IST9999]\n")
    first = (console.main([]), capsys.readouterr())
    assert (console.main([]), capsys.readouterr()) == first
    assert (len(runs), first[0]) == (1, 1)
    assert "MESH101" in first[1].out
    assert "IST9999 matches nothing" in first[1].err


CHANGES: dict[str, Callable[[], object]] = {
    "content": lambda: Path("route.yaml").write_text(FIXED),
    "new file": lambda: Path("more.yaml").write_text(FIXED.replace("cart", "pay")),
    "guide": lambda: Path("README.md").write_text("kubectl label namespace shop istio-injection=enabled\n"),
    "renamed file": lambda: Path("route.yaml").rename("cart.yaml"),
    "configuration": lambda: Path("mesh-validate.yml").write_text("fail_on: info\n"),
    "folder": lambda: (Path("sub").mkdir(), os.chdir("sub"), Path("route.yaml").write_text(ROUTE)),
    "colour": lambda: os.environ.__setitem__("FORCE_COLOR", "1"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_the_output_depends_on_is_in_the_key(
    runs: list[int], change: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("FORCE_COLOR", "")
    console.main([])
    change()
    console.main([])
    assert len(runs) == 2


@pytest.mark.parametrize("arguments", [["--level", "warning"], ["--format", "json"], ["--statistics"], ["route.yaml"]])
def test_options_are_in_the_key(runs: list[int], arguments: list[str]) -> None:
    console.main([])
    console.main(arguments)
    console.main(arguments)
    assert len(runs) == 2


def test_a_change_of_the_code_is_in_the_key(
    runs: list[int], tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if size and time of modification stay the same."""
    code = tmp_path_factory.mktemp("code")
    file = code / "check.py"
    file.write_text("level = 1\n")
    monkeypatch.setattr(run_key, "_CODE", str(code))
    console.main([])
    console.main([])
    assert len(runs) == 1
    before = file.stat()
    file.write_text("level = 2\n")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    console.main([])
    assert len(runs) == 2
    # The real folder is that of the collection's code.
    monkeypatch.undo()
    assert Path(run_key._CODE, "_validate/catalog.py").is_file()


def test_the_baseline_of_the_configuration_is_in_the_key(runs: list[int]) -> None:
    Path("known").mkdir()
    Path("mesh-validate.yml").write_text("baseline: known/all.json\n")
    assert console.main(["route.yaml"]) == 1
    out = console_run.run(console.asked_of(["route.yaml", "--format", "json"]), "", (False, False)).shown.out
    Path("known/all.json").write_text(out)
    assert console.main(["route.yaml"]) == 0


@pytest.mark.parametrize(
    "arguments", [["--no-cache"], ["--fix"], ["--explain", "MESH101"], ["--config", "own.yml"], ["nowhere.yaml"]]
)
def test_runs_without_a_key(runs: list[int], cache: Path, arguments: list[str]) -> None:
    Path("own.yml").write_text(
        "policy: {cel: [{code: A1, kinds: [VirtualService], expression: 'true', message: a, title: a}]}\n"
    )
    console.main(arguments)
    assert not cache.exists()


@pytest.mark.parametrize(
    "text",
    ["-----BEGIN CERTIFICATE-----", "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCg==", PREFIX],
)
def test_what_expires_is_not_kept(runs: list[int], cache: Path, text: str) -> None:
    secret = f"apiVersion: v1\nkind: Secret\nmetadata: {{name: a, namespace: shop}}\nstringData: {{a: '{text}'}}\n"
    Path("secret.yaml").write_text(secret)
    console.main([])
    assert not cache.exists()


def test_a_file_that_changes_during_the_run_is_not_kept(
    runs: list[int], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = console_run.answered

    def slow(*arguments: object) -> object:
        done = real(*arguments)  # type: ignore[arg-type]
        Path("route.yaml").write_text(FIXED)
        return done

    monkeypatch.setattr(console_run, "answered", slow)
    console.main([])
    assert not cache.exists()


def test_standard_input_is_in_the_key(runs: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    for text in (ROUTE, ROUTE, FIXED):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        console.main(["-"])
    assert len(runs) == 2


@pytest.mark.parametrize("damage", [b"", b"{", b"0\n{}", b"\xff\xfe\n\x00"])
def test_a_damaged_entry_is_replaced(runs: list[int], cache: Path, damage: bytes) -> None:
    console.main([])
    (entry,) = cache.iterdir()
    whole = entry.read_bytes()
    entry.write_bytes(damage)
    assert console.main([]) == 1
    assert (entry.read_bytes(), len(runs)) == (whole, 2)
    # Even a single changed letter of the output.
    entry.write_bytes(whole.replace(b"MESH101", b"MESH102", 1))
    console.main([])
    assert (entry.read_bytes(), len(runs)) == (whole, 3)


def test_an_entry_of_another_key_is_not_shown(cache: Path) -> None:
    run_cache.store("a", Shown("a", "", 0))
    os.rename(cache / "a", cache / "b")
    assert run_cache.load("b") is None


def test_a_folder_that_others_may_write_to_is_not_used(cache: Path) -> None:
    cache.mkdir(mode=0o777)
    cache.chmod(0o777)
    run_cache.store("a", Shown("a", "", 0))
    assert list(cache.iterdir()) == []
    cache.chmod(0o700)
    run_cache.store("a", Shown("a", "", 0))
    assert run_cache.load("a") == Shown("a", "", 0)
    cache.chmod(0o777)
    assert run_cache.load("a") is None


def test_without_a_folder_nothing_is_kept(runs: list[int], cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache.write_text("a file")
    assert (console.main([]), console.main([]), len(runs)) == (1, 1, 2)
    # A relative path is not a valid one.
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(cache.parent / "home"))
    console.main([])
    assert (cache.parent / "home/.cache/mesh-validate").is_dir()
    assert not Path("relative").exists()


def test_only_the_owner_reads_it(cache: Path) -> None:
    run_cache.store("a", Shown("a", "", 0))
    assert [path.stat().st_mode & 0o077 for path in (cache, cache / "a")] == [0, 0]


def test_runs_at_the_same_time_keep_whole_entries(cache: Path) -> None:
    outputs = [Shown(str(number) * 100_000, "", 0) for number in range(8)]
    loaded: list[Shown | None] = []

    def work(shown: Shown) -> None:
        for _turn in range(20):
            run_cache.store("a", shown)
            loaded.append(run_cache.load("a"))

    threads = [threading.Thread(target=work, args=(shown,)) for shown in outputs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(loaded) == 160
    assert set(loaded) <= set(outputs)
    assert [path.name for path in cache.iterdir()] == ["a"]


def test_the_cache_does_not_grow_without_end(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_cache, "_MOST_ENTRIES", 3)
    for number in range(5):
        run_cache.store(str(number), Shown("", "", 0))
        os.utime(cache / str(number), (number, number))
    # These are older than a month.
    assert [path.name for path in cache.iterdir()] == ["4"]
    for number in range(5):
        run_cache.store(f"new{number}", Shown("", "", 0))
    assert len(list(cache.iterdir())) == 3
    run_cache.store("large", Shown("a" * 5_000_000, "", 0))
    assert run_cache.load("large") is None


def _built(folder: Path, text: str = KUSTOMIZATION) -> None:
    for name, content in {"kustomization.yaml": text, "a.yaml": ROUTE, "values.txt": "a"}.items():
        (folder / name).write_text(content)
    (folder / "route.yaml").unlink(missing_ok=True)


@pytest.fixture
def kubectl(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("bin")
    program = folder / "kubectl"
    program.write_text('#!/bin/sh\ncat "$2/a.yaml"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return program


def test_what_a_kustomization_may_read_is_in_the_key(runs: list[int], kubectl: Path) -> None:
    _built(Path())
    console.main([])
    console.main([])
    assert len(runs) == 1
    # Not YAML, but a generator may read it.
    Path("values.txt").write_text("b")
    console.main([])
    assert len(runs) == 2
    kubectl.write_text(kubectl.read_text() + "\n")
    console.main([])
    assert len(runs) == 3


def test_a_kustomization_of_a_network_or_outside_of_a_repository_is_not_kept(
    runs: list[int], kubectl: Path, cache: Path
) -> None:
    _built(Path(), "resources: [a.yaml, 'https://example.com/base']\n")
    console.main([])
    _built(Path())
    Path(".git").rmdir()
    console.main([])
    assert not cache.exists()


@pytest.mark.parametrize(("above", "kept"), [("..", 1), ("../base", 1), ("../../base", 0), ("../..", 0)])
def test_a_kustomization_that_reads_outside_of_the_repository_is_not_kept(
    runs: list[int], kubectl: Path, cache: Path, above: str, kept: int
) -> None:
    Path("app").mkdir()
    Path("route.yaml").unlink()
    _built(Path("app"), f"resources: [a.yaml, {above}]\n")
    console.main(["app"])
    assert len(list(cache.glob("*"))) == kept


def test_a_program_that_failed_is_run_again(runs: list[int], kubectl: Path, cache: Path) -> None:
    _built(Path())
    kubectl.write_text("#!/bin/sh\nexit 1\n")
    assert console.main([]) == 1
    assert not cache.exists()


def test_the_entry_is_what_was_shown(runs: list[int], cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    console.main([])
    (entry,) = cache.iterdir()
    kept = json.loads(entry.read_bytes().partition(b"\n")[2])
    assert kept == {"out": capsys.readouterr().out, "err": "", "code": 1}
