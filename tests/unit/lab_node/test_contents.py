"""What an image takes from this machine."""

from __future__ import annotations

import pytest
from ansible_collections.corpv3.service_mesh.roles.lab.files.meshlab.node.contents import library_paths

LDD = """/usr/bin/a:
\tlinux-vdso.so.1 (0x00007ffd0a9f2000)
\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f6a0fa00000)
\t/lib64/ld-linux-x86-64.so.2 (0x00007f6a0fd30000)
/usr/bin/static:
\tnot a dynamic executable
"""


def test_the_libraries_and_the_loader() -> None:
    assert library_paths(LDD) == {"/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2"}


def test_a_library_that_is_not_there_is_named() -> None:
    with pytest.raises(LookupError, match=r"libmissing\.so\.1"):
        library_paths(LDD + "\tlibmissing.so.1 => not found\n")
