"""The review that emergency access is owed once it is over: recorded when it is there, and said when it is overdue."""

from jitaccess.domain.model import Key
from jitaccess.domain.recording import Step
from jitaccess.domain.reviews import next_review
from jitaccess.kube.api import Conflict
from jitaccess.manifests.kinds import RequestKind
from jitaccess.manifests.resources import reviews_of
from jitaccess.reconcile.recorder import Recorder, Tools
from jitaccess.workqueue.schedule import Target


class ReviewReconciler:
    """Looks at the reviews of one kind of request; these are settled, so no access follows from anything here."""

    def __init__(self, tools: Tools, kind: RequestKind) -> None:
        self._tools = tools
        self._kind = kind
        self._owed = tools.store.reviews[kind.resource]
        self._recorder = Recorder(tools, kind)

    async def reconcile(self, key: Key) -> None:
        """Record what is new about the review of that request, and look again when it is due."""
        target, schedule = Target(reviews_of(self._kind.resource), key), self._tools.schedule
        request = await self._tools.cluster.request(self._kind.resource, key)
        review = request.recorded.review if request and request.state.settled else None
        if request is None or review is None or not review.awaited:
            self._owed.forget(key)
            return schedule.forget(target)
        policy, now = await self._tools.cluster.policy(request.policy), self._tools.now()
        new = next_review(request, policy, now)
        try:
            await self._recorder.write(request, Step(new, new.history[len(request.recorded.history) :]))
        except Conflict:
            schedule.retry(target)  # another review came meanwhile, or another replica acted
            return
        schedule.done(target)
        if new.review and new.review.awaited and review.due and now < review.due:
            schedule.at(target, review.due)
