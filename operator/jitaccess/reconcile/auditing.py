"""No access begins unless the record of it is where it must be: with --audit=required, with every sink."""

from jitaccess.domain.obstacles import audit_away
from jitaccess.domain.verdicts import Grant
from jitaccess.manifests.resources import Resource
from jitaccess.publish.audit.export import Export
from jitaccess.publish.audit.pace import Standing
from jitaccess.reconcile.blocked import Blocked, NotYet


def must_be_exported(export: Export, resource: Resource, grant: Grant) -> None:
    """NotYet while a sink is about to take the record of the grant, Blocked while one does not. Never waits itself."""
    standing = export.standing(resource, grant.request, grant.request_uid)
    if standing is Standing.AWAY:
        raise Blocked(audit_away(export.why_not(grant.request_uid)))
    if standing is Standing.AWAITED:
        raise NotYet(f"the record of {grant.request} is on its way to the audit sinks")


def sinks_must_work(export: Export) -> None:
    """Blocked while a sink is known to take nothing: before the time of a grant begins to count."""
    if why := export.away():
        raise Blocked(audit_away(why))
