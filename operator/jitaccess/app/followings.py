"""All that we follow ourselves, since Kopf would do it at a higher price or not at all: what it is, and what is not followed."""

from collections.abc import Callable, Iterator
from functools import partial

from jitaccess.app.following import Following, Permit
from jitaccess.app.reviewing import ReviewWatch
from jitaccess.app.watch import Watch
from jitaccess.kube.api import Cluster
from jitaccess.kube.installation import Installation
from jitaccess.manifests.grant import GRANT_SELECTOR
from jitaccess.manifests.kinds import REQUEST_KINDS, RequestKind
from jitaccess.manifests.resources import NAMESPACES
from jitaccess.manifests.reviews import OWED_REVIEWS


class Followings:
    """One of each, to be run for ever. What comes with a component is followed as soon as a check has found that component."""

    def __init__(
        self, cluster: Cluster, watch: Watch, installation: Installation, reviews: Callable[[RequestKind], ReviewWatch]
    ) -> None:
        self._cluster = cluster
        self._watch = watch
        self._installation = installation
        self._reviews = reviews
        self.each = tuple(self._make())

    @property
    def problems(self) -> tuple[str, ...]:
        """What is not followed yet, a line each."""
        return tuple(following.problem for following in self.each if following.problem)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What was followed and is not at the moment, as it stands behind an `ok`."""
        return tuple(f"; {following.remark}" for following in self.each if following.remark)

    def _make(self) -> Iterator[Following]:
        cluster, watch, checked = self._cluster, self._watch, self._installation.checked_anew
        anyhow = Permit(reconsidered=checked)
        yield Following(cluster, NAMESPACES, watch.namespace_heard, listed=watch.namespaces_listed, permit=anyhow)
        for kind in REQUEST_KINDS:
            owed = self._reviews(kind)
            yield Following(cluster, kind.resource, owed.heard, listed=owed.listed, permit=anyhow, fields=OWED_REVIEWS)
            if kind.component:
                heard, listed = partial(watch.binding_heard, kind), partial(watch.bindings_listed, kind)
                permit = Permit(partial(self._installation.has, kind.component), checked)
                yield Following(cluster, kind.binding, heard, listed=listed, permit=permit, selector=GRANT_SELECTOR)
