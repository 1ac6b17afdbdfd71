"""What can go wrong, as exceptions whose text says what to do."""

import subprocess


class ControlPlaneError(RuntimeError):
    """Anything the local control plane cannot do."""


class BuildError(ControlPlaneError):
    """A binary could not be found or built."""


class ProcessDied(ControlPlaneError):
    """A supervised process ended before it was ready."""


class AddressInUse(ProcessDied):
    """A supervised process ended because somebody else took its port first."""


class KubectlError(subprocess.CalledProcessError):
    """A kubectl call that failed; unlike its parent it shows what kubectl said."""

    def __str__(self) -> str:
        said = (self.stderr or self.stdout or "").strip()
        return f"kubectl exit code {self.returncode}: {' '.join(self.cmd[1:])}\n{said}"
