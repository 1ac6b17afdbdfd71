"""What was found amiss of a grant that lasts, and put right: an incident of its history."""

from jitaccess.domain.model import AccessRequest
from jitaccess.domain.obstacles import obstructed
from jitaccess.domain.recording import Incident
from jitaccess.manifests.grant import grant_name
from jitaccess.manifests.kinds import RequestKind
from jitaccess.reconcile.grants import Checked


def incidents_of(kind: RequestKind, request: AccessRequest, checked: Checked, *, known: bool) -> tuple[Incident, ...]:
    """What a check of the grant has put right; `known`: this process has seen the binding before."""
    identity = _of_identity(checked) if not obstructed(request) else ()
    if not checked.restored or not checked.bound:
        return identity
    if obstructed(request):
        return (Incident("BindingMade", "what was in the way is gone: the binding exists now"),)
    what = "deleted by somebody" if checked.restored == "missing" and known else checked.restored
    unknown = " (deleted by somebody, or not made yet when the operator was restarted)" if what == "missing" else ""
    name = grant_name(request.key, request.uid)
    return (Incident("BindingRestored", f"the {kind.binding.kind} {name} was {what}{unknown} and is put back"), *identity)


def _of_identity(checked: Checked) -> tuple[Incident, ...]:
    if not checked.identity_restored:
        return ()
    what = " and ".join(checked.identity_restored)
    return (Incident("IdentityRestored", f"of the temporary identity, missing or changed by somebody and put back: {what}"),)
