"""What became of a request that was just made: tried, waited for, or as the operator saw it first."""

from jitaccess.cli.api.client import Client
from jitaccess.cli.api.errors import ExitCode, Outage
from jitaccess.cli.api.reading import read_request
from jitaccess.cli.commands.options import Manner
from jitaccess.cli.commands.waiting import CODES, say_outcome, seen_until, wait_for
from jitaccess.cli.terminal.output import command, dump, err, note, say
from jitaccess.domain.model import AccessPolicy, AccessRequest, Manifest
from jitaccess.domain.recorded import State
from jitaccess.domain.text import format_duration
from jitaccess.wording.describe import option, place, reference, who_decides

_AT_ONCE = 5.0  # seconds that a request which needs no approval is waited for


def report(client: Client, manifest: Manifest, policy: AccessPolicy | None, manner: Manner) -> int:
    """Say what became of a new request, at once or when it is decided; returns the exit code."""
    made = read_request(manifest)
    if manner.dry_run:
        return _report_dry_run(made, manifest, policy, manner.output)
    if manner.wait:
        return wait_for(client, made.key, policy, manner.seconds, manner.output)
    if manner.output:
        dump(manifest, manner.output)
        return ExitCode.DONE
    return _report_first_look(client, made, policy)


def _report_first_look(client: Client, made: AccessRequest, policy: AccessPolicy | None) -> int:
    """Say what the operator makes of a new request, which is soon known: as it is then, not as it was made."""
    awaited = policy is None or policy.required_approvals > 0

    def known(request: AccessRequest) -> bool:
        decided = request.state is not State.PENDING or request.recorded.starts_at is not None
        return decided or (awaited and not request.recorded.unseen)

    try:
        seen = seen_until(client, made.key, policy, _AT_ONCE, known)
    except Outage as outage:
        say(f"{reference(made.key)}  made; what becomes of it is not known: {outage.message}")
        return ExitCode.DONE
    say_outcome(client, seen.request, policy)
    if seen.request.state is not State.PENDING:
        return CODES[seen.request.state]
    if err().is_terminal:
        note("Follow it:")
        command(f"kubectl jit watch {made.key.name} {option(made.key.namespace)}")
    return ExitCode.DONE


def _report_dry_run(made: AccessRequest, manifest: Manifest, policy: AccessPolicy | None, output: str | None) -> int:
    if output:
        dump(manifest, output)
    else:
        say(f"The API server would accept this: {made.role} in {place(made.key.namespace)} for {format_duration(made.duration)}.")
        if policy:
            say(f"Then: {who_decides(policy)}.")
    return ExitCode.DONE
