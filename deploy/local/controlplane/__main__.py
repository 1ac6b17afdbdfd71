"""The command line: python -m controlplane build."""

import argparse
import sys

from controlplane.binaries import ensure_binaries
from controlplane.errors import ControlPlaneError
from controlplane.progress import say


def parser() -> argparse.ArgumentParser:
    """What the command line takes."""
    top = argparse.ArgumentParser(
        prog="python -m controlplane",
        description="A real Kubernetes control plane (etcd, kube-apiserver, kube-controller-manager) on loopback.",
        epilog="Binaries come from KUBEBUILDER_ASSETS, else from the cache (JITACCESS_CACHE, else XDG_CACHE_HOME/jitaccess, "
        "else ~/.cache/jitaccess), else they are built with Go.",
    )
    commands = top.add_subparsers(dest="command", required=True)
    commands.add_parser("build", help="find or build the binaries and print their paths")
    return top


def main() -> int:
    """Find or build the binaries; 0 and their paths, or 1 and what is wrong."""
    parser().parse_args()
    try:
        print(*ensure_binaries().values(), sep="\n")
    except ControlPlaneError as error:
        say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
