"""The local control plane: real etcd, kube-apiserver and kube-controller-manager on loopback."""

from controlplane.errors import BuildError, ControlPlaneError, KubectlError, ProcessDied
from controlplane.plane import ControlPlane
from controlplane.process import Process
from controlplane.users import User

__all__ = [
    "BuildError",
    "ControlPlane",
    "ControlPlaneError",
    "KubectlError",
    "Process",
    "ProcessDied",
    "User",
]
