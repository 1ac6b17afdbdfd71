"""The command `review`: what waits for one's decision, one after the other."""

from collections.abc import Sequence
from enum import StrEnum

import click

from jitaccess.cli.api.client import Client
from jitaccess.cli.api.errors import CliError, ExitCode, UsageError
from jitaccess.cli.api.reading import read_request
from jitaccess.cli.api.session import Session, pass_session
from jitaccess.cli.commands import options
from jitaccess.cli.commands.decision import APPROVE, DENY, Case
from jitaccess.cli.commands.effect import Effect
from jitaccess.cli.commands.filters import REVIEWABLE, chosen_requests
from jitaccess.cli.commands.options import connects
from jitaccess.cli.terminal.output import complain, note, styled
from jitaccess.domain.model import Key
from jitaccess.domain.recorded import State
from jitaccess.wording.describe import place


class Answer(StrEnum):
    """What to do with a request; its first letter is enough."""

    APPROVE = "approve"
    DENY = "deny"
    SKIP = "skip"
    QUIT = "quit"


@click.command(cls=options.Command)
@options.note
@options.everywhere
@connects
@pass_session
def review(session: Session, note: str | None, everywhere: bool) -> int:
    """Go through the requests that wait for your decision, oldest first: approve, deny, skip or quit.

    Of each you see what is asked for and why, what the role allows, what else the requester has, and what they were refused
    in the last 7 days.
    """
    if not session.interactive:
        raise UsageError("there is no terminal to ask at", "`kubectl jit ls --reviewable` shows what waits for you")
    return review_all(session, session.scope(everywhere), note)


def review_all(session: Session, namespace: str, text: str | None, output: str | None = None) -> ExitCode:
    """Ask about each request that waits; the exit code of the first that could not be decided as was answered."""
    client = session.client
    waiting = [request.key for request, _ in chosen_requests(client, namespace, REVIEWABLE)]
    if not waiting:
        note(f"Nothing waits for you in {place(namespace) if namespace else 'any namespace'}.")
    codes: list[ExitCode] = []
    effect = Effect(client)
    for number, key in enumerate(waiting):
        if number:
            note("")
        note(styled(f"{number + 1} of {len(waiting)}", "dim"))
        try:
            answer = _reviewed(client, effect, key, text, output)
        except CliError as error:
            complain(error.message, error.hint)
            codes.append(error.code)
            continue
        if answer is Answer.QUIT:
            note(_left(waiting[number:]))
            break
    return next(iter(codes), ExitCode.DONE)


def _reviewed(client: Client, effect: Effect, key: Key, text: str | None, output: str | None) -> Answer:
    request = read_request(client.request(key))
    if request.state is not State.PENDING:
        note(f"{key.name} does not wait any more: it is {request.state}.")
        return Answer.SKIP
    case = Case(client, effect, request)
    case.show()
    answer: Answer = click.prompt("Approve, deny, skip or quit [a/d/s/q]", value_proc=read_answer, err=True)
    if answer in (Answer.APPROVE, Answer.DENY):
        verb = APPROVE if answer is Answer.APPROVE else DENY
        case.decide(verb, case.note(verb, text, ask=True), output)
    return answer


def read_answer(typed: str) -> Answer:
    """What somebody meant; UsageError, upon which click asks again, where that is not clear."""
    word = typed.strip().lower()
    for answer in Answer:
        if word in (answer.value, answer.value[0]):
            return answer
    raise click.UsageError("type a, d, s or q")


def _left(keys: Sequence[Key]) -> str:
    return f"{len(keys)} {'request waits' if len(keys) == 1 else 'requests wait'} as before."
