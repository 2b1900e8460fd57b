"""docs/own-application.md on the lab: every command of the page as it stands, without a checkout and the restaurant."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kubernetes import client

from ..integration.support.book_shop import HOST, NAMESPACE, REVIEWS, BookShop, write_sample
from ..integration.support.canary_lab import ROOT
from ..integration.support.canary_records import Record, failed, read, sent_within, versions
from ..integration.support.runbook_pages import Shell, blocks_of
from ..integration.support.shop_requests import requests_to, wait_served

TEXTS = [block.text for block in blocks_of(ROOT / "docs/own-application.md") if not block.elsewhere]
(INSTALL, USERS, INVENTORY, PLAN, RUN, UNDO, SLOW, ROLLED_BACK, TESTERS, JASON, AB, REMOVE) = TEXTS
# Beside the requests of the page itself: enough to see a failed one.
A_SECOND = 10


@pytest.fixture
def shell(kubeconfig: str, tmp_path: Path) -> Iterator[Shell]:
    write_sample(tmp_path)
    shell = Shell(Path(kubeconfig), tmp_path, cwd=tmp_path)
    # Ansible's own defaults, as where there is no checkout.
    settings = tmp_path / "empty.cfg"
    settings.write_text("")
    shell.set(ANSIBLE_CONFIG=str(settings), ANSIBLE_COLLECTIONS_PATH=str(ROOT / ".ansible/collections"))
    yield shell
    shell.run(f"kubectl delete namespace {NAMESPACE} --ignore-not-found --timeout=180s")


def test_the_inventory_has_six_variables_and_none_of_the_restaurant() -> None:
    names = re.findall(r"^ {4}(\w+):", INVENTORY, re.MULTILINE)
    assert len(names) == 6
    assert not [name for name in names if "restaurant" in name or "app" in name]


def test_every_command_of_the_page(shell: Shell, api: client.ApiClient, tmp_path: Path) -> None:
    def do(text: str) -> str:
        done = shell.run(text)
        assert done.returncode == 0, f"{text}\n{done.stdout[-4000:]}"
        return done.stdout

    shop = BookShop(api)
    do(INSTALL)
    wait_served(HOST, 120, REVIEWS)
    do(INVENTORY)
    with shell.running(USERS), requests_to(HOST, tmp_path, REVIEWS, A_SECOND) as load:
        _promoted_and_undone(shop, do)
        do(SLOW)
        output = do(ROLLED_BACK)
        assert "request-duration" in " ".join(output.split()), output
        assert shop.routes() == [{"v1": 100, "v2": 0, "v3": 0}]
        assert [version for version, pods in shop.replicas().items() if pods] == ["v1"]
        do(TESTERS)
        assert shop.routes() == [{"v2": None}, {"v1": None}]
        jason, begin, end = _tested_by_jason(shell, shop, do, tmp_path)
    everybody = read(load.output)
    assert not failed(everybody) and not failed(jason)
    assert set(versions(sent_within(jason, begin - 2, begin))) == {"v2"}
    assert "v3" in versions(sent_within(jason, begin, end))
    assert set(versions(sent_within(jason, end + 1, end + 3))) == {"v2"}
    assert set(versions(sent_within(everybody, end + 1, end + 3))) == {"v3"}
    do(REMOVE)


def _promoted_and_undone(shop: BookShop, do: Callable[[str], str]) -> None:
    do(PLAN)
    assert shop.routes() == [{"v1": None}]
    output = do(RUN)
    assert shop.routes() == [{"v1": 0, "v3": 100}], output
    assert shop.replicas()["v1"] == 0
    do(UNDO)
    assert shop.routes() == [{"v1": 100, "v3": 0}]
    assert shop.replicas()["v3"] == 0


def _tested_by_jason(
    shell: Shell, shop: BookShop, do: Callable[[str], str], folder: Path
) -> tuple[list[Record], float, float]:
    """What he was answered, and when the canary began and ended."""
    own = folder / "jason"
    own.mkdir()
    with shell.running(JASON), requests_to(HOST, own, REVIEWS, A_SECOND, "Cookie: session=jason") as load:
        time.sleep(3)
        begin = time.time()
        do(AB)
        end = time.time()
        assert shop.routes() == [{"v2": None}, {"v1": 0, "v3": 100}]
        assert shop.replicas()["v2"] == 1
        time.sleep(4)
    return read(load.output), begin, end
