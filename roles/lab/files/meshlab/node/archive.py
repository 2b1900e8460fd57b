"""Container images without a container engine: layers as reproducible tars, images as Docker's archive format."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Object = dict[str, Any]


@dataclass(frozen=True)
class Entry:
    """A file of a layer: ``source`` on this machine or ``content``, at ``path`` (no leading slash) in the image."""

    path: str
    source: Path | None = None
    content: bytes = b""
    mode: int = 0o644
    link: str = ""
    folder: bool = False


@dataclass(frozen=True)
class Image:
    """One image: its names, its layers' entries, and how it starts."""

    names: tuple[str, ...]
    layers: tuple[tuple[Entry, ...], ...]
    entrypoint: tuple[str, ...]
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str = ""


def layer(entries: Sequence[Entry]) -> bytes:
    """The uncompressed tar of a layer: equal entries give equal bytes, on each machine and at any time."""
    by_path = {entry.path: entry for entry in entries}
    for path in list(by_path):
        for parent in Path(path).parents:
            if str(parent) != ".":
                by_path.setdefault(str(parent), Entry(str(parent), mode=0o755, folder=True))
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for path in sorted(by_path):
            _add(tar, by_path[path])
    return buffer.getvalue()


def _add(tar: tarfile.TarFile, entry: Entry) -> None:
    # Owner root and no time: TarInfo's defaults are 0.
    info = tarfile.TarInfo(entry.path)
    info.mode = entry.mode
    if entry.folder:
        info.type = tarfile.DIRTYPE
        tar.addfile(info)
    elif entry.link:
        info.type, info.linkname = tarfile.SYMTYPE, entry.link
        tar.addfile(info)
    else:
        data = entry.source.read_bytes() if entry.source else entry.content
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))


def config(image: Image, layers: Sequence[bytes]) -> bytes:
    """The image's configuration; its digest is the image's id."""
    runs: Object = {
        "Entrypoint": list(image.entrypoint),
        "Cmd": list(image.command) or None,
        "Env": [f"{name}={value}" for name, value in sorted(image.environment.items())],
        "User": image.user,
        "WorkingDir": "/",
    }
    return json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "created": "1970-01-01T00:00:00Z",
            "config": runs,
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(one).hexdigest()}" for one in layers]},
        },
        sort_keys=True,
    ).encode()


def write(images: Sequence[Image], target: Path) -> None:
    """Write one archive of all images; a layer that several have is in it once."""
    files: dict[str, bytes] = {}
    manifest = []
    tars: dict[tuple[Entry, ...], bytes] = {}
    for image in images:
        made = [
            tars[entries] if entries in tars else tars.setdefault(entries, layer(entries)) for entries in image.layers
        ]
        names = [f"{hashlib.sha256(one).hexdigest()}.tar" for one in made]
        files.update(zip(names, made, strict=True))
        described = config(image, made)
        described_name = f"{hashlib.sha256(described).hexdigest()}.json"
        files[described_name] = described
        manifest.append({"Config": described_name, "RepoTags": list(image.names), "Layers": names})
    files["manifest.json"] = json.dumps(manifest, sort_keys=True).encode()
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".partial")
    with tarfile.open(partial, "w", format=tarfile.GNU_FORMAT) as tar:
        for name in sorted(files):
            _add(tar, Entry(name, content=files[name]))
    partial.replace(target)
