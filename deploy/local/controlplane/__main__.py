"""The command line: python -m controlplane build | up | kubectl-path."""

import argparse
import signal
import sys
import threading
from pathlib import Path

from controlplane.binaries import ensure_binaries
from controlplane.errors import ControlPlaneError, KubectlError
from controlplane.install import OVERLAY, install
from controlplane.plane import ControlPlane
from controlplane.progress import say

HOWTO = """\
A Kubernetes API server is ready at {server}.

  export KUBECONFIG={kubeconfig}
  {kubectl} get namespaces
  {kubectl} --context alice auth whoami      # contexts: {people}

Ctrl-C ends it, and everything in it is gone."""


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="python -m controlplane",
        description="A real Kubernetes control plane (etcd, kube-apiserver, kube-controller-manager) on loopback.",
        epilog="Binaries come from KUBEBUILDER_ASSETS, else from the cache (JITACCESS_CACHE, else XDG_CACHE_HOME/jitaccess, "
        "else ~/.cache/jitaccess), else they are built with Go.",
    )
    commands = top.add_subparsers(dest="command", required=True)
    commands.add_parser("build", help="find or build the binaries and print their paths")
    commands.add_parser("kubectl-path", help="print the path of kubectl, building it if needed")
    up = commands.add_parser("up", help="run a control plane until Ctrl-C")
    up.add_argument(
        "--install",
        type=Path,
        nargs="?",
        const=OVERLAY,
        metavar="OVERLAY",
        help="apply a kustomize overlay, by default all of deploy/",
    )
    up.add_argument("--audit", action="store_true", help="keep an audit log")
    up.add_argument(
        "--data-dir",
        type=Path,
        help="keep the data here (default: a temporary directory, removed at the end)",
    )
    return top


def up(options: argparse.Namespace) -> None:
    """Run a plane until SIGINT or SIGTERM."""
    enough = threading.Event()
    with ControlPlane(audit=options.audit, data_dir=options.data_dir) as plane:
        if options.install:
            install(plane, options.install)
        people = list(plane.users)
        kubeconfig = plane.kubeconfig_with_contexts(people)
        kubectl = plane.binaries["kubectl"]
        print(
            HOWTO.format(
                server=plane.server,
                kubeconfig=kubeconfig,
                kubectl=kubectl,
                people=", ".join(people),
            ),
            flush=True,
        )
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: enough.set())
        enough.wait()


def main() -> int:
    options = parser().parse_args()
    try:
        if options.command == "up":
            up(options)
        else:
            binaries = ensure_binaries()
            shown = [binaries["kubectl"]] if options.command == "kubectl-path" else binaries.values()
            print(*shown, sep="\n")
    except (ControlPlaneError, KubectlError) as error:
        say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
