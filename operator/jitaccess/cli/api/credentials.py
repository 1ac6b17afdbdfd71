"""The user of a kubeconfig, as it may be written into another one: without its secrets. Pure."""

import base64

from jitaccess.cli.api.errors import CliError
from jitaccess.cli.api.kubeconfig import Section

_SECRETS = ("token", "client-key-data", "password", "auth-provider")
_IMPERSONATION = ("as", "as-uid", "as-groups", "as-user-extra")


def has_secrets(user: Section) -> bool:
    """Whether the entry itself contains a secret, and does not only say where one is."""
    return any(user.get(field) for field in _SECRETS)


def without_impersonation(user: Section) -> Section:
    """The entry, as nobody else."""
    return {field: value for field, value in user.items() if field not in _IMPERSONATION}


def own_credential(user: Section) -> Section:
    """The secret in the entry as the status of an ExecCredential; CliError where it has none for an exec plugin."""
    if token := user.get("token"):
        return {"token": token}
    certificate, key = user.get("client-certificate-data"), user.get("client-key-data")
    if certificate and key:
        return {"clientCertificateData": _decoded(certificate), "clientKeyData": _decoded(key)}
    raise CliError(
        "your login is neither a token nor a certificate in the kubeconfig, so no other one can ask for it",
        "use `kubectl jit as NAME -- ...`, or `kubectl jit kubeconfig NAME --token`",
    )


def _decoded(data: str) -> str:
    return base64.standard_b64decode(data).decode()
