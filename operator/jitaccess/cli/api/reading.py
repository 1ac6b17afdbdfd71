"""From what the API server has to the domain's values; what a newer jitaccess wrote is said to be that."""

from jitaccess.cli.api.errors import CliError
from jitaccess.domain.model import AccessRequest, Manifest
from jitaccess.domain.recorded import State
from jitaccess.manifests.parse import parse_request

_STATES = frozenset(state.value for state in State)


def read_request(manifest: Manifest) -> AccessRequest:
    """Read an AccessRequest; CliError where its state is one that this plugin does not know."""
    state = (manifest.get("status") or {}).get("state", State.PENDING)
    if state not in _STATES:
        name = manifest["metadata"]["name"]
        raise CliError(
            f"request {name} is {state}, a state made by a newer jitaccess than this plugin: upgrade the plugin",
            "pip install --upgrade 'jitaccess[cli]'; until then `kubectl get accessrequests` shows what there is",
        )
    return parse_request(manifest)
