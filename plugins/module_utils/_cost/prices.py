# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What things cost: the design document's prices, or those of a file."""

from __future__ import annotations

import datetime
import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common import yaml
from ansible_collections.corpv3.service_mesh.plugins.module_utils._common.errors import InputError

# In the form of a file. The document names neither the source of its figures nor their region.
DOCUMENT: Mapping[str, Any] = {
    "name": "AWS EKS example of the design document",
    "currency": "USD",
    "source": "design document 1.0, chapter Cost Analysis",
    "date": "2025-12-30",
    # Its months have 30 days: 2.5 cores at 0.104 an hour are its 75 a month.
    "hours_per_month": 720,
    "cpu_core_hour": 0.0416,
    "memory_gib_hour": 0.0046,
    "volume_gib_month": {"default": 0.10},
    "load_balancer_month": {"default": 16},
    "node_hour": {},
}
# AWS, Google and Azure calculate a month as 365 * 24 / 12.
_USUAL_MONTH = 730
_TEXTS = ("name", "currency", "source")
_PRICES = ("cpu_core_hour", "memory_gib_hour")
_BY_CLASS = ("volume_gib_month", "load_balancer_month")
_REQUIRED = ("currency", "source", "date", *_PRICES, *_BY_CLASS)
_ENTRY = ("price", "source", "date")
# Older ones are reported as old.
_FRESH_DAYS = 365


@dataclass(frozen=True)
class Price:
    """amount: of one unit, in the file's currency. date: when it was looked up, as 2026-11-25."""

    amount: Decimal
    source: str
    date: str


@dataclass(frozen=True)
class Prices:
    """cpu: of a core and hour; memory: of a GiB and hour; volumes: of a GiB and month; load balancers: of a month.

    ``*_classes``: for storage and load balancer classes with another price. nodes: instance type to hourly price.
    """

    name: str
    currency: str
    hours: Decimal
    cpu: Price
    memory: Price
    volume: Price
    load_balancer: Price
    volume_classes: Mapping[str, Price] = field(default_factory=dict)
    load_balancer_classes: Mapping[str, Price] = field(default_factory=dict)
    nodes: Mapping[str, Price] = field(default_factory=dict)

    def of_volume(self, storage_class: str) -> Decimal:
        return self.volume_classes.get(storage_class, self.volume).amount

    def of_load_balancer(self, load_balancer_class: str) -> Decimal:
        return self.load_balancer_classes.get(load_balancer_class, self.load_balancer).amount

    def named(self) -> Iterator[tuple[str, Price]]:
        """Every price, under its name in the file."""
        yield "cpu_core_hour", self.cpu
        yield "memory_gib_hour", self.memory
        yield "volume_gib_month.default", self.volume
        yield from ((f"volume_gib_month.{name}", price) for name, price in self.volume_classes.items())
        yield "load_balancer_month.default", self.load_balancer
        yield from ((f"load_balancer_month.{name}", price) for name, price in self.load_balancer_classes.items())
        yield from ((f"node_hour.{name}", price) for name, price in self.nodes.items())


def read_prices(text: str, file: str) -> Prices:
    """Of a file in YAML or JSON. Raises InputError with everything that is wrong in it."""
    try:
        data = yaml.load(text)
    except (yaml.YamlError, ValueError) as error:
        raise InputError(f"price_file: {file} is not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(data, dict):
        raise InputError(f"price_file: {file} must be a mapping with the keys {', '.join(_REQUIRED)}.")
    return prices_of(data, file)


def prices_of(data: Mapping[Any, Any], file: str) -> Prices:
    """Raises InputError with everything that is wrong."""
    reader = _Reader(data)
    prices = reader.prices()
    if reader.problems:
        raise InputError(f"price_file: {file}: {'; '.join(reader.problems)}. docs/cost.md has an example.")
    return prices


def old_prices(prices: Prices, today: datetime.date) -> str:
    """A note, or nothing if all of them are recent."""
    oldest = min(price.date for _name, price in prices.named())
    days = (today - datetime.date.fromisoformat(oldest)).days
    return f"the oldest price is {days} days old, of {oldest}" if days > _FRESH_DAYS else ""


class _Reader:
    """Reads the whole file, so that all problems are reported at once."""

    def __init__(self, data: Mapping[Any, Any]) -> None:
        self.problems: list[str] = []
        self._data = data

    def prices(self) -> Prices:
        self._known_keys("", self._data, (*_REQUIRED, "name", "hours_per_month", "node_hour"))
        self.problems += [f"{name} is missing" for name in _REQUIRED if name not in self._data]
        texts = {name: self._text(name, self._data[name]) for name in _TEXTS if name in self._data}
        self._source = texts.get("source", "")
        self._date = self._day("date", self._data["date"]) if "date" in self._data else ""
        hours = self._number("hours_per_month", self._data.get("hours_per_month", _USUAL_MONTH))
        if hours == 0:
            self.problems.append("hours_per_month is 0; a month has 720 to 744")
        single = {name: self._price(name, self._data.get(name, 0)) for name in _PRICES}
        volumes, load_balancers = (self._by_class(name) for name in _BY_CLASS)
        nodes = self._entries("node_hour")
        nothing = Price(Decimal(0), "", "")
        return Prices(
            texts.get("name") or texts.get("source", ""),
            texts.get("currency", ""),
            hours,
            single["cpu_core_hour"],
            single["memory_gib_hour"],
            volumes.pop("default", nothing),
            load_balancers.pop("default", nothing),
            volumes,
            load_balancers,
            nodes,
        )

    def _by_class(self, name: str) -> dict[str, Price]:
        found = self._entries(name)
        if name in self._data and isinstance(self._data[name], dict) and "default" not in found:
            self.problems.append(f"{name}.default is missing")
        return found

    def _entries(self, name: str) -> dict[str, Price]:
        entries = self._data.get(name, {})
        if not isinstance(entries, dict):
            self.problems.append(f"{name} must be a mapping of names to prices, not {_shown(entries)}")
            return {}
        return {str(key): self._price(f"{name}.{key}", entry) for key, entry in entries.items()}

    def _price(self, name: str, entry: Any) -> Price:
        """A number, or a mapping with a price and its own source and date."""
        if not isinstance(entry, dict):
            return Price(self._number(name, entry), self._source, self._date)
        self._known_keys(f"{name}.", entry, _ENTRY)
        if "price" not in entry:
            self.problems.append(f"{name}.price is missing")
        return Price(
            self._number(f"{name}.price", entry.get("price", 0)),
            self._text(f"{name}.source", entry["source"]) if "source" in entry else self._source,
            self._day(f"{name}.date", entry["date"]) if "date" in entry else self._date,
        )

    def _known_keys(self, place: str, mapping: Mapping[Any, Any], known: tuple[str, ...]) -> None:
        for key in mapping:
            if key not in known:
                near = difflib.get_close_matches(str(key), known, 1)
                hint = f"did you mean {near[0]}?" if near else f"valid keys: {', '.join(known)}"
                self.problems.append(f"{place}{key} is unknown ({hint})")

    def _number(self, name: str, value: Any) -> Decimal:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            number = Decimal(str(value))
            if number.is_finite() and number >= 0:
                return number
        self.problems.append(f"{name} must be a number from 0, not {_shown(value)}")
        return Decimal(0)

    def _text(self, name: str, value: Any) -> str:
        if isinstance(value, str) and value.strip():
            return value.strip()
        self.problems.append(f"{name} must be a string, not {_shown(value)}")
        return ""

    def _day(self, name: str, value: Any) -> str:
        # YAML converts what looks like a date.
        text = value.isoformat() if isinstance(value, datetime.date) else str(value)
        try:
            return datetime.date.fromisoformat(text).isoformat()
        except ValueError:
            self.problems.append(f"{name} must be a date like 2026-11-25, not {_shown(value)}")
            return ""


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
