"""The command `reviewed`: what a reviewer found emergency access that is over to have been."""

import click

from jitaccess.cli.api.client import Client
from jitaccess.cli.api.errors import ExitCode, Refused, UsageError
from jitaccess.cli.api.ledger import checked_text
from jitaccess.cli.api.reading import read_request
from jitaccess.cli.api.session import Session, pass_session
from jitaccess.cli.commands import options
from jitaccess.cli.commands.candidates import complete_requests
from jitaccess.cli.commands.choosing import parse_name
from jitaccess.cli.commands.decision import Case
from jitaccess.cli.commands.effect import Effect
from jitaccess.cli.commands.options import connects
from jitaccess.cli.terminal.output import dump, note, say
from jitaccess.domain.model import AccessRequest, Key, Ledger, Manifest
from jitaccess.domain.recorded import Finding
from jitaccess.wording.describe import reference
from jitaccess.wording.reviews import review_in_words

_LOOK = "`kubectl jit ls --awaiting-review` shows what is owed a review"


@click.command(cls=options.Command)
@click.argument("name", shell_complete=complete_requests)
@click.option("--fine", is_flag=True, help="The access was used for what it was asked for.")
@click.option("--misuse", is_flag=True, help="It was not.")
@options.note
@options.yes
@options.dry_run
@options.output("json", "yaml", "name")
@connects
@pass_session
def reviewed(
    session: Session, name: str, fine: bool, misuse: bool, note: str | None, yes: bool, dry_run: bool, output: str | None
) -> int:
    """Say of emergency access that is over that it was fine, or misuse: the review that it is owed.

    For the reviewers that its policy names. Nobody reviews their own access, and the first review stands.
    """
    if fine is misuse:
        raise UsageError("--fine and --misuse exclude each other" if fine else "say what you found: --fine or --misuse", _LOOK)
    finding = (Finding.FINE if fine else Finding.MISUSE).value
    if not session.interactive and not (yes or dry_run):
        raise UsageError("there is no terminal to ask at: look with `kubectl jit show NAME`, then review with --yes")
    client, key = session.client, parse_name(name, session.client.namespace)
    line = f"{finding}: {checked_text(note, 'note')}" if note else finding
    request = _to_review(client, key)
    if dry_run:
        return _report(client.decide(key, Ledger.REVIEWS, line, dry_run=True), f"{finding}; nothing was changed", output)
    if not yes and not _confirmed(client, request, line, finding):
        return ExitCode.ERROR
    return _report(client.decide(key, Ledger.REVIEWS, line), finding, output)


def _to_review(client: Client, key: Key) -> AccessRequest:
    """The request; Refused where there is nothing to review, in words that say why."""
    request = read_request(client.request(key))
    review = request.recorded.review
    if review is None:
        raise Refused(f"{key.name} is no emergency access: there is nothing to review", _LOOK)
    if review.found:
        raise Refused(f"{key.name} was reviewed already: {review_in_words(request, client.now())}", _LOOK)
    if not request.state.settled:
        raise Refused(f"{key.name} still lasts: review it once it is over", f"kubectl jit revoke {key.name} ends it now")
    return request


def _confirmed(client: Client, request: AccessRequest, line: str, finding: str) -> bool:
    client.decide(request.key, Ledger.REVIEWS, line, dry_run=True)  # who would be refused is not asked first
    Case(client, Effect(client), request).show()
    if click.confirm(f"Say that {request.key.name} was {finding}?", err=True):
        return True
    note(f"Nothing was changed; {request.key.name} stays as it is.")
    return False


def _report(manifest: Manifest, finding: str, output: str | None) -> ExitCode:
    if output:
        dump(manifest, output)
    else:
        say(f"{reference(read_request(manifest).key)} reviewed: {finding}")
    return ExitCode.DONE
