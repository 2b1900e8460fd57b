# Copyright (c) 2026, Corporation v3 platform team
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The end of canaries by copy for a service: the application as it was found."""

from __future__ import annotations

from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.adopter import Adopter
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.adoption import Adoption
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.copies import Copies
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.adoption import Change
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.state import State
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.core.transitions import RequestRefused
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.lease import lease_ref
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.options import policy_of
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.reconcile import Reconcilable
from ansible_collections.corpv3.service_mesh.plugins.module_utils._canary.runner import Result

NOTHING = "nothing was adopted, so there is nothing to detach"


class Detachable(Reconcilable):
    """One service's canary, which can leave its application."""

    def detach(self) -> Result:
        with self._lock():
            state = self._ended()
            done = Adopter(self.objects, self._params, policy_of(self._params), self._log, self._cancelled).detach(
                state
            )
        for line in done:
            self._log(line)
        if done:
            Copies(self.objects).delete(lease_ref(self._namespace, self._service))
        return Result(None, bool(done), "; ".join(done) or NOTHING)

    def to_detach(self) -> list[Change]:
        """What a call would restore and remove. Writes nothing."""
        routes, rest = Adoption(self.objects).detaching(self._ended())
        return [*routes, *rest]

    def _ended(self) -> State | None:
        """The newest run. Raises RequestRefused while it is in progress."""
        state = self.state()
        if state and not state.final:
            raise RequestRefused(
                f"run {state.run} of {self._service} is {state.phase}: end it first, with state=promoted or "
                "state=aborted. Then detach."
            )
        if state and state.copy:
            self.objects = self.objects_of(state)
        return state
