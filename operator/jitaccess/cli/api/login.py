"""Who one is to the API server: what kubectl does with a kubeconfig's user, where the official loader goes on as nobody.

No error shows a credential, nor what a program or file that brings one has said where it should have been.
"""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import urllib3
from kubernetes.client import Configuration
from kubernetes.client.exceptions import OpenApiException
from kubernetes.config import ConfigException
from kubernetes.config.kube_config import EXPIRY_SKEW_PREVENTION_DELAY, FileOrData, KubeConfigLoader
from oauthlib.oauth2.rfc6749.errors import OAuth2Error

from jitaccess.cli.api.errors import CliError
from jitaccess.cli.api.kubeconfig import Kubeconfig, Login
from jitaccess.domain.text import parse_time

AGAIN = "log in again; plain kubectl with the same --kubeconfig and --context tells whether it works"
_HEADER = re.compile(r"[\x20-\x7e]+")
_REREAD = timedelta(minutes=1)  # how often a tokenFile is read anew
_EARLY = timedelta(seconds=10)
# What the official loader lets through of all that can go wrong with a refresh.
_OIDC_FAILURES = (
    ConfigException,
    OpenApiException,
    OAuth2Error,
    urllib3.exceptions.HTTPError,
    OSError,
    LookupError,
    ValueError,
)
_EXEC = "client.authentication.k8s.io/exec"


def log_in(kubeconfig: Kubeconfig, login: Login, configuration: Configuration) -> None:
    """Fill the configuration with the cluster and the credentials of a login; CliError where that cannot be."""
    try:
        _Loader(kubeconfig, login).load_and_set(configuration)  # type: ignore[no-untyped-call]
    except ConfigException as error:
        raise CliError(f"the kubeconfig cannot be used: {error}", "`kubectl config view` shows it") from error


class _Loader(KubeConfigLoader):
    """The official loader for clusters, certificates and OIDC; tokens, passwords and exec plugins as kubectl takes them."""

    def __init__(self, kubeconfig: Kubeconfig, login: Login) -> None:
        self._login = login
        context = {"name": "it", "context": {"cluster": "it", "user": "it"}}
        merged = {
            "current-context": "it",
            "contexts": [context],
            "clusters": [{"name": "it", "cluster": login.cluster}],
            "users": [{"name": "it", "user": login.user}],
        }
        super().__init__(merged, config_base_path="", config_persister=kubeconfig.save)  # type: ignore[no-untyped-call]

    def _load_authentication(self) -> None:
        user = self._login.user
        if user.get("auth-provider"):
            self._load_provider(str(user["auth-provider"].get("name", "")))
        elif user.get("token") or user.get("tokenFile"):
            self._load_token(user)
        elif user.get("exec"):
            self._load_exec(user["exec"])
        elif user.get("username") and user.get("password"):
            pair = f"{user['username']}:{user['password']}".encode()
            self.token = f"Basic {base64.b64encode(pair).decode()}"

    def _load_token(self, user: Mapping[str, str]) -> None:
        token = user.get("token", "")
        if user.get("tokenFile"):
            token = _token_in(user["tokenFile"]) or token
            self._expires(datetime.now(UTC) + _REREAD)
        self.token = f"Bearer {self._fit(token)}"

    def _load_exec(self, plugin: Mapping[str, Any]) -> None:
        status = _credential(plugin, _cluster_info(self._login.cluster) if plugin.get("provideClusterInfo") else None)
        if status.get("token"):
            self.token = f"Bearer {self._fit(status['token'])}"
        if status.get("clientCertificateData") and status.get("clientKeyData"):
            self.cert_file = FileOrData(status, "", "clientCertificateData", base64_file_content=False).as_file()
            self.key_file = FileOrData(status, "", "clientKeyData", base64_file_content=False).as_file()
        if status.get("expirationTimestamp"):
            self._expires(_expiry(status["expirationTimestamp"], plugin["command"]))

    def _load_provider(self, name: str) -> None:
        if name != "oidc":
            raise CliError(f"the kubeconfig logs in with auth-provider {name}, which kubectl has no longer", "use an exec plugin")
        try:
            found = self._load_oid_token(self._user["auth-provider"])  # type: ignore[no-untyped-call, index]
        except _OIDC_FAILURES as error:
            raise CliError(f"the OIDC token cannot be refreshed ({type(error).__name__})", AGAIN) from None
        if not found:
            raise CliError("the OIDC login of the kubeconfig has no valid id-token, and no new one is to be had", AGAIN)

    def _expires(self, moment: datetime) -> None:
        """Ask for the credential again from then on; the loader itself is minutes early, which is too soon for short ones."""
        self.expiry = moment - _EARLY + EXPIRY_SKEW_PREVENTION_DELAY

    def _fit(self, token: object) -> str:
        if not isinstance(token, str) or not _HEADER.fullmatch(token):
            raise CliError(
                f"the token of user {self._login.user_name} has a line break, or another character that no header has", AGAIN
            )
        return token


def _token_in(file: str) -> str:
    try:
        token = Path(file).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise CliError(f"the token file {file} cannot be read: {error.strerror}", AGAIN) from error
    except UnicodeDecodeError:
        raise CliError(f"the token file {file} is no text (UTF-8)", AGAIN) from None
    if not token:
        raise CliError(f"the token file {file} is empty", AGAIN)
    return token


def _credential(plugin: Mapping[str, Any], cluster: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Run a credential plugin, whose standard error goes to ours; what it prints is parsed and never shown."""
    command, version = plugin.get("command", ""), plugin.get("apiVersion", "")
    mode = plugin.get("interactiveMode") or "IfAvailable"
    interactive = mode != "Never" and sys.stdin.isatty()
    if mode == "Always" and not interactive:
        raise CliError(f"the credential plugin {command} wants a terminal (interactiveMode: Always), and there is none")
    spec = {"interactive": interactive} | ({"cluster": cluster} if cluster else {})
    info = {"apiVersion": version, "kind": "ExecCredential", "spec": spec}
    variables = {each["name"]: each["value"] for each in plugin.get("env") or ()}
    try:
        done = subprocess.run(  # noqa: S603 (the kubeconfig is the user's own, and names it)
            [shutil.which(command) or command, *(plugin.get("args") or ())],
            stdin=None if interactive else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            env={**os.environ, **variables, "KUBERNETES_EXEC_INFO": json.dumps(info)},
            check=False,
        )
    except OSError as error:
        raise CliError(
            f"the credential plugin {command} cannot be run: {error.strerror}", plugin.get("installHint", "")
        ) from error
    if done.returncode:
        raise CliError(f"the credential plugin {command} failed with exit code {done.returncode}", AGAIN)
    return _status(done.stdout, command, version)


def _status(printed: bytes, command: str, version: str) -> Mapping[str, Any]:
    try:
        answer = json.loads(printed)
    except ValueError:
        answer = None
    if not isinstance(answer, dict) or answer.get("kind") != "ExecCredential" or not isinstance(answer.get("status"), dict):
        raise CliError(f"the credential plugin {command} printed no ExecCredential", AGAIN)
    if answer.get("apiVersion") != version:
        raise CliError(f"the credential plugin {command} answers in another apiVersion than {version}", AGAIN)
    status: Mapping[str, Any] = answer["status"]
    if not status.get("token") and not (status.get("clientCertificateData") and status.get("clientKeyData")):
        raise CliError(f"the credential plugin {command} brought neither a token nor a certificate with its key", AGAIN)
    return status


def _expiry(text: object, command: str) -> datetime:
    try:
        return parse_time(str(text))
    except ValueError:
        raise CliError(f"the credential plugin {command} brought an expirationTimestamp that is no time", AGAIN) from None


def _cluster_info(cluster: Mapping[str, Any]) -> dict[str, Any]:
    """What a plugin with provideClusterInfo learns of the cluster."""
    told = ("server", "tls-server-name", "insecure-skip-tls-verify", "certificate-authority-data", "proxy-url")
    info = {field: cluster[field] for field in told if field in cluster}
    if cluster.get("certificate-authority") and "certificate-authority-data" not in info:
        info["certificate-authority-data"] = base64.b64encode(Path(cluster["certificate-authority"]).read_bytes()).decode()
    configs = [each.get("extension") for each in cluster.get("extensions") or () if each.get("name") == _EXEC]
    return info | ({"config": configs[0]} if configs else {})
