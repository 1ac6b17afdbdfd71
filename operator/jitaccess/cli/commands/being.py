"""Using access that is delivered as a temporary identity: `as`, `kubeconfig`, and what a kubeconfig runs, `credential`."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from jitaccess.cli.api.credentials import has_secrets, own_credential, without_impersonation
from jitaccess.cli.api.errors import CliError, Refused, UsageError, install
from jitaccess.cli.api.kubeconfig import Kubeconfig, Section
from jitaccess.cli.api.reading import read_request
from jitaccess.cli.api.session import Session, pass_session
from jitaccess.cli.commands import options
from jitaccess.cli.commands.candidates import complete_requests
from jitaccess.cli.commands.choosing import parse_name
from jitaccess.cli.commands.options import connects
from jitaccess.cli.terminal.output import as_json, as_yaml
from jitaccess.domain.model import AccessRequest, Key
from jitaccess.domain.recorded import State
from jitaccess.domain.text import format_time, parse_time
from jitaccess.manifests.accounts import ACCOUNTS, account_of
from jitaccess.manifests.resources import SERVICE_ACCOUNTS
from jitaccess.wording.describe import outcome

_API = "client.authentication.k8s.io/v1"
_SHORTEST, _LONGEST = timedelta(minutes=10), timedelta(hours=1)  # that a token may live: Kubernetes' bound, and ours
DEFAULT_KUBECONFIG = "~/.kube/config"


@click.command(name="as", cls=options.Command)
@connects
@click.argument("name", shell_complete=complete_requests)
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
@pass_session
def as_(session: Session, name: str, words: Sequence[str]) -> None:
    """Run one kubectl command as the temporary identity of a grant.

    \b
    kubectl jit as alice-7f3k -- get pods

    The API server's audit log then has you and the grant on that call. This is kubectl --as=IDENTITY in the grant's namespace.
    """
    if not words:
        raise UsageError("say what to run: kubectl jit as NAME -- get pods")
    request = _borne(session, name)
    flags = _flags(kubeconfig=session.kubeconfig, context=session.context, namespace=request.key.namespace)
    argv = ["kubectl", *flags, f"--as={request.recorded.identity}", *words]
    try:
        os.execvp(argv[0], argv)  # noqa: S606  # kubectl is whatever kubectl the user has
    except FileNotFoundError:
        raise CliError("there is no kubectl in PATH", "https://kubernetes.io/docs/tasks/tools/") from None


@click.command(cls=options.Command)
@click.argument("name", shell_complete=complete_requests)
@click.option("--token", is_flag=True, help="For tools that cannot impersonate: log in with tokens of the identity.")
@connects
@pass_session
def kubeconfig(session: Session, name: str, token: bool) -> None:
    """Print a kubeconfig whose one context is the temporary identity of a grant.

    \b
    kubectl jit kubeconfig alice-7f3k > grant.yaml
    KUBECONFIG=grant.yaml kubectl get pods

    There is no secret in it: what the login needs is asked of this plugin each time, or read where it is. It is of no use once
    the grant is over.
    """
    request = _borne(session, name)
    known = Kubeconfig(session.kubeconfig)
    login, context_name = known.login(session.context), session.context or known.current
    user = _asks(request, session, context_name) if token else _impersonating(request, session, login.user, context_name)
    title = f"jit-{request.key.name}"
    context = {"cluster": title, "user": title} | ({"namespace": request.key.namespace} if request.key.namespace else {})
    made = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": title, "cluster": login.cluster}],
        "users": [{"name": title, "user": user}],
        "contexts": [{"name": title, "context": context}],
        "current-context": title,
    }
    click.echo(as_yaml(made))


@click.command(cls=options.Command)
@click.argument("name", shell_complete=complete_requests)
@click.option("--own", is_flag=True, help="Your own login, as the kubeconfig has it.")
@connects
@pass_session
def credential(session: Session, name: str, own: bool) -> None:
    """Print a login for a grant, as kubectl asks for it; what `kubectl jit kubeconfig` prints runs this.

    A token of the temporary identity lives for an hour at most, and dies with the grant.
    """
    login = Kubeconfig(session.kubeconfig).login(session.context) if own else None
    status = own_credential(login.user) if login else _minted(session, _borne(session, name))
    click.echo(as_json({"apiVersion": _API, "kind": "ExecCredential", "status": status}))


def _borne(session: Session, name: str) -> AccessRequest:
    """A request whose access one has now, through an identity."""
    if session.acts_as:
        raise UsageError("a temporary identity is used as yourself: leave out --as")
    client = session.client
    request = read_request(client.request(parse_name(name, client.namespace)))
    if request.state is not State.ACTIVE:
        what = outcome(request, None, datetime.now(UTC))
        raise Refused(f"{request.key.name} gives no access now ({request.state}{f': {what}' if what else ''})", "kubectl jit ls")
    if not request.recorded.identity:
        raise UsageError(f"the access of {request.key.name} is {request.requester}'s own: use kubectl as you are")
    return request


def _minted(session: Session, request: AccessRequest) -> Section:
    until = request.recorded.expires_at or datetime.now(UTC)
    seconds = min(max(until - datetime.now(UTC), _SHORTEST), _LONGEST) // timedelta(seconds=1)
    account = Key(ACCOUNTS, account_of(request.recorded.identity))
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": seconds}}
    minted = session.connection.post(SERVICE_ACCOUNTS.path(account, subresource="token"), asked)["status"]
    dies = min(until, parse_time(minted["expirationTimestamp"]))
    return {"token": minted["token"], "expirationTimestamp": format_time(dies)}


def _impersonating(request: AccessRequest, session: Session, user: Section, context: str) -> Section:
    if has_secrets(user):
        own_credential(user)  # what it will be asked for later must be there
        user = _asks(request, session, context, "--own")
    return {**without_impersonation(user), "as": request.recorded.identity}


def _asks(request: AccessRequest, session: Session, context: str, *more: str) -> Section:
    """A user who is whoever this plugin says: nothing secret is written down."""
    where = str(Path(session.kubeconfig).absolute()) if session.kubeconfig else ""  # it is run from anywhere
    flags = _flags(kubeconfig=where, context=context, namespace=request.key.namespace)
    return {
        "exec": {
            "apiVersion": _API,
            "command": "kubectl-jit",
            "args": ["credential", request.key.name, *more, *flags],
            "interactiveMode": "Never",
            "installHint": f"kubectl-jit: {install('cli')}",
            # Else this kubeconfig, once it is the one in the environment, would ask itself.
            **({} if where else {"env": [{"name": "KUBECONFIG", "value": _usual()}]}),
        }
    }


def _usual() -> str:
    """The kubeconfigs of the environment, which are read when nobody names one."""
    named = os.environ.get("KUBECONFIG") or DEFAULT_KUBECONFIG
    return os.pathsep.join(str(Path(path).expanduser().absolute()) for path in named.split(os.pathsep) if path)


def _flags(**given: str) -> list[str]:
    return [f"--{name}={value}" for name, value in given.items() if value]
