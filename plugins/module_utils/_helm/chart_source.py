# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Where the charts of releases come from: a folder, an archive, a repository or a registry."""

from __future__ import annotations

import contextlib
import os
import tempfile

from ansible_collections.corpv3.service_mesh.plugins.module_utils._common import run_memory
from ansible_collections.corpv3.service_mesh.plugins.module_utils._helm.charts import Chart, load_chart, unpacked_chart
from ansible_collections.corpv3.service_mesh.plugins.module_utils._helm.program import Helm, HelmFailure
from ansible_collections.corpv3.service_mesh.plugins.module_utils._helm.release import Release, ReleaseFailure


class ChartSource:
    """Gets charts. Tasks of one run reuse a pulled chart. The next run pulls it again, since a
    repository may have another chart under the same version by then.
    """

    def __init__(self, helm: Helm, directory: str) -> None:
        """``directory``: for charts while the task runs."""
        self._helm = helm
        self._directory = directory

    def chart_of(self, release: Release) -> Chart:
        """The chart of a present release. ChartError if it is invalid, ReleaseFailure if it cannot be downloaded."""
        if release.on_disk:
            return load_chart(release.chart)
        kept = run_memory.folder("chart", [release.chart, release.repository, release.version])
        if kept and os.path.isdir(kept):
            return unpacked_chart(kept)
        pulled = tempfile.mkdtemp(dir=self._directory)
        try:
            self._helm.pull(release.chart, release.repository, release.version, pulled)
        except HelmFailure as failure:
            source = release.repository or release.chart
            raise ReleaseFailure(
                f"{release}: chart {release.chart} {release.version} could not be downloaded from {source}: {failure}. "
                "Set repository to an address that can be reached, such as a mirror."
            ) from failure
        if not kept:
            return unpacked_chart(pulled)
        # If another release has the same chart, one of the two is enough.
        with contextlib.suppress(OSError):
            os.rename(pulled, kept)
        return unpacked_chart(kept if os.path.isdir(kept) else pulled)
