"""Container images without a container engine: layers as reproducible tars, images as OCI's blobs."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

Object = dict[str, Any]
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"


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
    """One image: its names, its layers' entries, and how it starts. A name without a tag is that of every tag."""

    names: tuple[str, ...]
    layers: tuple[tuple[Entry, ...], ...]
    entrypoint: tuple[str, ...]
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str = ""


def write_layer(entries: Sequence[Entry], folder: Path) -> Path:
    """The uncompressed tar of a layer, named by its digest: equal entries give equal bytes, on each machine and day."""
    by_path = {entry.path: entry for entry in entries}
    for path in list(by_path):
        for parent in Path(path).parents:
            if str(parent) != ".":
                by_path.setdefault(str(parent), Entry(str(parent), mode=0o755, folder=True))
    partial = folder / "partial"
    with tarfile.open(partial, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for path in sorted(by_path):
            _add(tar, by_path[path])
    with partial.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return partial.rename(folder / digest)


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
    elif entry.source:
        with entry.source.open("rb") as file:
            info.size = os.fstat(file.fileno()).st_size
            tar.addfile(info, file)
    else:
        info.size = len(entry.content)
        tar.addfile(info, io.BytesIO(entry.content))


def config(image: Image, digests: Sequence[str]) -> bytes:
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
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}" for digest in digests]},
        },
        sort_keys=True,
    ).encode()


def write(images: Sequence[Image], target: IO[bytes], folder: Path) -> None:
    """Write one archive of all images, in Docker's format, to a stream. A layer that several have is in it once.

    ``folder``: for the layers meanwhile, each as large as its files.
    """
    layers = _write_layers(images, folder)
    manifest = []
    configs: dict[str, bytes] = {}
    for image in images:
        digests = [layers[entries].name for entries in image.layers]
        described = config(image, digests)
        name = f"{hashlib.sha256(described).hexdigest()}.json"
        configs[name] = described
        paths = [f"{digest}.tar" for digest in digests]
        manifest.append({"Config": name, "RepoTags": list(image.names), "Layers": paths})
    files = [Entry(f"{path.name}.tar", source=path) for path in sorted(set(layers.values()))]
    files += [Entry(name, content=content) for name, content in sorted(configs.items())]
    files.append(Entry("manifest.json", content=json.dumps(manifest, sort_keys=True).encode()))
    with tarfile.open(fileobj=target, mode="w|", format=tarfile.GNU_FORMAT) as tar:
        for file in files:
            _add(tar, file)


def store(images: Sequence[Image], folder: Path) -> dict[str, str]:
    """Write the images as blobs, each named by its digest. Returns the digest of the manifest of each name.

    A layer that several images have is there once.
    """
    layers = _write_layers(images, folder)
    found: dict[str, str] = {}
    for image in images:
        paths = [layers[entries] for entries in image.layers]
        described = _blob(folder, config(image, [path.name for path in paths]))
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": _descriptor(CONFIG, described),
            "layers": [_descriptor(LAYER, path) for path in paths],
        }
        written = _blob(folder, json.dumps(manifest, sort_keys=True).encode())
        found.update(dict.fromkeys(image.names, written.name))
    return found


def _write_layers(images: Sequence[Image], folder: Path) -> dict[tuple[Entry, ...], Path]:
    """Each layer once, however many images have it."""
    different = dict.fromkeys(entries for image in images for entries in image.layers)
    return {entries: write_layer(entries, folder) for entries in different}


def _blob(folder: Path, content: bytes) -> Path:
    path = folder / hashlib.sha256(content).hexdigest()
    path.write_bytes(content)
    return path


def _descriptor(kind: str, path: Path) -> Object:
    return {"mediaType": kind, "digest": f"sha256:{path.name}", "size": path.stat().st_size}
