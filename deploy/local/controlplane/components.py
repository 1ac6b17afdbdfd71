"""The command lines of etcd, kube-apiserver and kube-controller-manager."""

import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from controlplane.process import Process

LOOPBACK = "127.0.0.1"
Component = Literal["etcd", "kube-apiserver", "kube-controller-manager"]
COMPONENTS: tuple[Component, ...] = get_args(Component)
CONTROLLERS = (
    "garbage-collector-controller",
    "namespace-controller",
    "job-controller",
    "ttl-after-finished-controller",
    "serviceaccount-controller",
    "clusterrole-aggregation-controller",  # without it view, edit and admin stay empty
    "validatingadmissionpolicy-status-controller",
    "root-ca-certificate-publisher-controller",
    "cronjob-controller",
    "resourcequota-controller",
)


def free_port() -> int:
    """Return a port that was free a moment ago; whoever uses it retries if it is taken meanwhile."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True, slots=True)
class Files:
    """Where everything of one plane is."""

    root: Path

    @property
    def certificates(self) -> Path:
        return self.root / "apiserver"

    @property
    def ca(self) -> Path:
        """The server's certificate, and the CA that signed it."""
        return self.certificates / "apiserver.crt"

    @property
    def key(self) -> Path:
        return self.certificates / "apiserver.key"

    @property
    def tokens(self) -> Path:
        return self.root / "tokens.csv"

    @property
    def audit_policy(self) -> Path:
        return self.root / "audit-policy.yaml"

    @property
    def audit_log(self) -> Path:
        return self.root / "audit.log"

    @property
    def kubeconfigs(self) -> Path:
        return self.root / "kubeconfigs"

    def log(self, name: str) -> Path:
        return self.root / "logs" / f"{name}.log"


@dataclass(frozen=True, slots=True)
class Ports:
    etcd: int
    peer: int
    api: int

    @classmethod
    def free(cls) -> "Ports":
        return cls(free_port(), free_port(), free_port())


def etcd(binary: Path, files: Files, ports: Ports) -> Process:
    """Return etcd; it trades safety against power loss for speed, so its data survives a kill but no power cut."""
    client, peer = (f"http://{LOOPBACK}:{port}" for port in (ports.etcd, ports.peer))
    argv = [
        str(binary),
        f"--data-dir={files.root / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",
    ]
    return Process("etcd", argv, files.log("etcd"))


def apiserver(binary: Path, files: Files, ports: Ports, *, audit: bool) -> Process:
    """Return the API server, which makes its own certificate and key when there are none."""
    audit_flags = [
        f"--audit-policy-file={files.audit_policy}",
        f"--audit-log-path={files.audit_log}",
        "--audit-log-mode=blocking",  # written before the next request of the same client
        "--audit-log-maxsize=4096",  # megabytes: no rotation under a reader
    ]
    argv = [
        str(binary),
        f"--etcd-servers=http://{LOOPBACK}:{ports.etcd}",
        f"--bind-address={LOOPBACK}",
        f"--secure-port={ports.api}",
        f"--advertise-address={LOOPBACK}",
        "--endpoint-reconciler-type=none",  # no `kubernetes` Endpoints: they may not point to loopback
        f"--cert-dir={files.certificates}",
        "--authorization-mode=RBAC",
        f"--token-auth-file={files.tokens}",
        "--service-account-issuer=https://kubernetes.default.svc",
        # The RSA key that the server makes for TLS signs the tokens too: no tool has to make a second one.
        f"--service-account-key-file={files.key}",
        f"--service-account-signing-key-file={files.key}",
        "--disable-admission-plugins=ServiceAccount",
        "--service-cluster-ip-range=10.0.0.0/24",
        *(audit_flags if audit else []),
    ]
    # Its heap is so small here that collecting it takes a fifth of two cores; let it grow to a few hundred megabytes instead.
    environment = {"GOGC": "400", **os.environ}
    return Process("kube-apiserver", argv, files.log("kube-apiserver"), env=environment)


def controller_manager(binary: Path, files: Files, kubeconfig: Path) -> Process:
    """Return kube-controller-manager with the controllers that the tests rely on."""
    argv = [
        str(binary),
        f"--kubeconfig={kubeconfig}",
        f"--controllers={','.join(CONTROLLERS)}",
        "--use-service-account-credentials",
        f"--root-ca-file={files.ca}",
        "--leader-elect=false",
        "--secure-port=0",  # nobody asks it anything
    ]
    return Process("kube-controller-manager", argv, files.log("kube-controller-manager"))
