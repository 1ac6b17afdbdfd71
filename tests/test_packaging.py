"""What users install: the package alone, as the image has it; the manifests, as kubectl builds them; the files named in docs."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, TypedDict

import pytest

import crds
from controlplane.binaries import ensure_binaries
from controlplane.patience import PATIENCE
from fast_yaml import document, documents
from jitaccess.kube.installation import MANIFESTS_VERSION

ROOT = Path(__file__).resolve().parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
NOBODY = 54321  # a user ID that has no entry in /etc/passwd, as some clusters assign them
PYTHONS = (
    sys.executable,
    *(f"/usr/{folder}bin/python3{minor}" for minor in (".13", ".12", ".11", "") for folder in ("", "local/")),
)
README = (ROOT / "README.md").read_text()
DOCS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


class Identity(TypedDict, total=False):
    """The arguments of subprocess that choose a user."""

    user: int
    group: int
    extra_groups: list[int]


AS_NOBODY: Identity = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
NOT_ROOT: Identity = {}


@pytest.fixture(scope="module")
def installed() -> Iterator[Path]:
    """The folder of programs of an empty environment in which jitaccess was installed just as the Dockerfile does it."""
    with tempfile.TemporaryDirectory(prefix="jitaccess-packaging-") as folder:  # pytest's own folders are closed to other users
        whole = Path(folder)
        whole.chmod(0o755)
        source = whole / "src"
        source.mkdir()
        for line in re.findall(r"^COPY (?!--)(.*)$", DOCKERFILE, re.MULTILINE):
            *names, target = line.split()
            for name in names:
                _copy(ROOT / name, source / (name if target == "./" else target))
        constraints = _constraints(source)
        _run(_python() or sys.executable, "-m", "venv", "--without-pip", str(whole / "env"))
        python = str(whole / "env" / "bin" / "python")
        _run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--constraint", str(constraints), str(source))
        yield whole / "env" / "bin"


@cache
def _python() -> str:
    """A Python that an unprivileged user may run too (none below /root); empty if there is none, or we are not root."""
    look = "import sys, venv; sys.exit(sys.version_info < (3, 11))"
    return next((path for path in PYTHONS if os.geteuid() == 0 and _runs_as_nobody(path, look)), "")


def _runs_as_nobody(path: str, look: str) -> bool:
    try:
        return subprocess.run([path, "-c", look], env={}, cwd="/", capture_output=True, check=False, **AS_NOBODY).returncode == 0
    except OSError:
        return False


def _copy(origin: Path, target: Path) -> None:
    if origin.is_dir():
        shutil.copytree(origin, target, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    else:
        shutil.copy(origin, target)


def _constraints(source: Path) -> Path:
    """The pins, by the very command of the Dockerfile."""
    found = re.search(r"^RUN (sed .* requirements-dev\.txt) > /tmp/constraints\.txt", DOCKERFILE, re.MULTILINE)
    assert found, "the Dockerfile makes its constraints in another way: this test must follow"
    file = source.parent / "constraints.txt"
    file.write_text(_run(*shlex.split(found[1]), cwd=source))
    assert "kopf==" in file.read_text()
    return file


def _run(*command: str, cwd: Path | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout


def _as_in_a_pod(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a program with an empty environment; where the tests run as root, as a user whom nobody knows."""
    another = AS_NOBODY if _python() else NOT_ROOT
    env = {"PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, env=env, cwd="/", capture_output=True, text=True, check=False, timeout=PATIENCE, **another)


def test_what_follows_runs_as_a_user_whom_nobody_knows(installed: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become a user without an entry in /etc/passwd: what follows runs as you")
    assert _python(), f"no Python 3.11+ that others than root may run, of {PYTHONS}: what follows would run as root"
    look = "import os, pwd; print(os.getuid(), 'HOME' in os.environ); pwd.getpwuid(os.getuid())"
    done = _as_in_a_pod(installed / "python", "-c", look)
    assert done.stdout == f"{NOBODY} False\n"
    assert "KeyError: 'getpwuid(): uid not found" in done.stderr


def test_the_operator_brings_what_it_needs_and_nothing_of_the_plugin(installed: Path) -> None:
    look = "from importlib.metadata import distributions; print(*sorted(d.name.lower() for d in distributions()))"
    there = _as_in_a_pod(installed / "python", "-c", look).stdout.split()
    assert {"jitaccess", "kopf", "aiohttp", "click", "tzdata"} <= set(there)
    assert {"kubernetes", "rich"}.isdisjoint(there), "kopf imports kubernetes where it is: twice the memory"


def test_time_zones_are_known_where_the_system_has_none(installed: Path) -> None:
    look = "import zoneinfo; zoneinfo.reset_tzpath(to=[]); print(zoneinfo.ZoneInfo('Europe/Berlin'))"
    assert _as_in_a_pod(installed / "python", "-c", look).stdout == "Europe/Berlin\n"


def test_the_versions_are_those_that_the_tests_ran_with(installed: Path) -> None:
    pins = dict(line.split("==") for line in (installed.parents[1] / "constraints.txt").read_text().split())
    look = "from importlib.metadata import distributions; print(*(f'{d.name}=={d.version}' for d in distributions()))"
    there = dict(entry.split("==") for entry in _as_in_a_pod(installed / "python", "-c", look).stdout.split())
    normal = {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in there.items() if name != "jitaccess"}
    assert normal == {name: pins.get(name, "not pinned") for name in normal}


def test_what_policies_are_checked_against_is_what_a_cluster_gets(installed: Path) -> None:
    look = "import json; from jitaccess.lint.crds import definitions; print(json.dumps(list(definitions())))"
    there = json.loads(_as_in_a_pod(installed / "python", "-c", look).stdout)
    ours = [document(file.read_text()) for file in sorted((ROOT / "crds").glob("*.yaml"))]
    assert there == [crd for crd in ours if crd["kind"] == "CustomResourceDefinition"]


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["sweep", "--help"], ["--version"]], ids=" ".join)
def test_the_operator_explains_itself(installed: Path, words: list[str]) -> None:
    done = _as_in_a_pod(installed / "jitaccess", *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert "jitaccess" in done.stdout


@pytest.mark.parametrize("program", ["kubectl-jit", "kubectl_complete-jit"])
def test_the_plugin_says_how_to_get_what_it_needs(installed: Path, program: str) -> None:
    done = _as_in_a_pod(installed / program, "ls", "")
    assert (done.returncode, done.stdout) == (1, "")
    assert "pip install '.[cli]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_lint_says_which_extra_it_needs(tmp_path: Path) -> None:
    empty = f"import sys; sys.modules['cel_expr_python'] = None; sys.argv = ['kubectl-jit', 'lint', {str(tmp_path)!r}]"
    program = f"{empty}; from jitaccess.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert (done.returncode, done.stdout) == (1, "")
    assert "pip install '.[lint]'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["run", "sweep"])
def test_without_an_api_server_it_says_what_to_give(installed: Path, command: str) -> None:
    done = _as_in_a_pod(installed / "jitaccess", command)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Error: no API server to talk to: give --kubeconfig FILE, set KUBECONFIG, or run inside a Pod\n"


def test_an_api_server_that_is_away_is_told_and_waited_for(installed: Path) -> None:
    config = installed.parents[1] / "nowhere.kubeconfig"
    config.write_text(
        '{"apiVersion": "v1", "kind": "Config", "current-context": "x", "users": [{"name": "x", "user": {"token": "t"}}],'
        ' "clusters": [{"name": "x", "cluster": {"server": "https://127.0.0.1:1"}}],'
        ' "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}]}'
    )
    swept = _as_in_a_pod(installed / "jitaccess", "sweep", "--kubeconfig", config)
    assert swept.returncode == 1
    assert "127.0.0.1:1" in swept.stderr
    assert "Traceback" not in swept.stderr
    # Until it has started it ignores the signal, as the shell that starts it does: so it is sent again.
    log = installed.parents[1] / "nowhere.log"
    log.touch()
    log.chmod(0o666)
    told = f'until grep -q "cannot check the installation" {log} || ! kill -0 $child; do sleep 0.2; done'
    again = f"({told}; while kill -TERM $child; do sleep 1; done) >/dev/null 2>&1 & killer=$!"
    stopping = f'trap "" TERM; "$@" 2>{log} & child=$!; {again}; wait $child; code=$?; kill -9 $killer; exit $code'
    command: list[str | Path] = [installed / "jitaccess", "run", "--kubeconfig", config, "--health-address", "127.0.0.1:0"]
    ran = _as_in_a_pod("/bin/sh", "-c", stopping, "sh", *command)
    said = log.read_text()
    assert ran.returncode == 0, said
    assert "cannot check the installation" in said
    assert "Traceback" not in said


KUSTOMIZATIONS = sorted(
    file.parent.relative_to(ROOT).as_posix()
    for file in ROOT.glob("**/kustomization.yaml")
    if "kind: Component" not in file.read_text() and not {".venv", ".git"} & set(file.parts)
)


@pytest.mark.parametrize("folder", KUSTOMIZATIONS)
def test_every_kustomization_builds(folder: str) -> None:
    assert "kind: " in _kustomize(ROOT / folder)


@pytest.mark.parametrize("component", sorted(path.name for path in (ROOT / "deploy" / "components").iterdir()))
def test_every_component_builds_into_the_installation(tmp_path: Path, component: str) -> None:
    built = _kustomize(_overlay(tmp_path, "overlays/pre-1.36", component))
    assert "image: jitaccess:" not in built, "an overlay renames every image: docs/operations.md"
    assert len(built) > len(_kustomize(tmp_path / "deploy" / "overlays" / "pre-1.36"))


def _overlay(folder: Path, whole: str, *components: str) -> Path:
    """An overlay beside a copy of deploy/, as docs/operations.md has it."""
    shutil.copytree(ROOT / "deploy", folder / "deploy", ignore=shutil.ignore_patterns("local"))
    shutil.copytree(ROOT / "crds", folder / "crds")
    overlay = folder / "my-overlay"
    overlay.mkdir()
    (overlay / "kustomization.yaml").write_text(
        f"resources: [../deploy/{whole}]\ncomponents: [{', '.join(f'../deploy/components/{each}' for each in components)}]\n"
        "images: [{name: jitaccess, newName: registry.example/jitaccess, newTag: 9.9.9}]\n"
    )
    return overlay


@cache
def _installs() -> list[dict[str, Any]]:
    """What an overlay with every component installs."""
    with tempfile.TemporaryDirectory(prefix="jitaccess-overlay-") as folder:
        overlay = _overlay(Path(folder), "base", "stamping", "cluster-wide")  # which brings sweep
        return documents(_kustomize(overlay))


def _installed_kind(kind: str) -> list[dict[str, Any]]:
    found = [document for document in _installs() if document["kind"] == kind]
    assert found, f"no {kind} is installed"
    return found


def test_whatever_the_operator_checks_carries_the_digest() -> None:
    kinds = ("CustomResourceDefinition", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
    found = [document["metadata"] for kind in kinds for document in _installed_kind(kind)]
    without = [each["name"] for each in found if each["labels"].get("jitaccess.dev/manifests") != MANIFESTS_VERSION]
    assert (len(found), without) == (29, [])


def test_only_roles_that_leave_nothing_behind_can_be_granted_at_first() -> None:
    [role] = [each for each in _installed_kind("ClusterRole") if each["metadata"]["name"] == "jitaccess-grantable-roles"]
    assert [rule["resourceNames"] for rule in role["rules"]] == [["view", "jitaccess-debug"]]


def test_only_view_can_be_granted_cluster_wide_at_first() -> None:
    name = "jitaccess-grantable-cluster-wide"
    [role] = [each for each in _installed_kind("ClusterRole") if each["metadata"]["name"] == name]
    assert [rule["resourceNames"] for rule in role["rules"]] == [["view"]]


Right = tuple[str, str, str]  # where, group/resource, verb

# As it was before there were cluster kinds and identities.
NAMESPACED_KINDS_ONLY: frozenset[Right] = frozenset(
    ("everywhere", f"{group}/{resource}", verb)
    for group, resource, verbs in (
        ("jitaccess.dev", "accesspolicies", "get list watch request approve"),
        ("jitaccess.dev", "accesspolicies/status", "patch"),
        ("jitaccess.dev", "accessrequests", "get list watch create patch delete"),
        ("jitaccess.dev", "accessrequests/status", "patch"),
        ("jitaccess.dev", "grants", "manage"),
        ("rbac.authorization.k8s.io", "roles", "get list watch create update delete"),
        ("rbac.authorization.k8s.io", "rolebindings", "get list watch create update delete"),
        ("rbac.authorization.k8s.io", "clusterroles named", "get bind"),
        ("batch", "jobs", "get list create delete"),
        ("", "events", "create"),
        ("apiextensions.k8s.io", "customresourcedefinitions named", "get"),
        ("admissionregistration.k8s.io", "validatingadmissionpolicies named", "get"),
        ("admissionregistration.k8s.io", "validatingadmissionpolicybindings named", "get"),
    )
    for verb in verbs.split()
) | {
    ("jitaccess-system", f"coordination.k8s.io/leases{named}", verb)
    for named, verbs in (("", "create"), (" named", "get list watch update"))
    for verb in verbs.split()
}
CLUSTER_KINDS: frozenset[Right] = frozenset(
    ("everywhere", f"{group}/{resource}", verb)
    for group, resource, verbs in (
        ("jitaccess.dev", "clusteraccesspolicies", "get list watch request approve"),
        ("jitaccess.dev", "clusteraccesspolicies/status", "patch"),
        ("jitaccess.dev", "clusteraccessrequests", "get list watch create patch delete"),
        ("jitaccess.dev", "clusteraccessrequests/status", "patch"),
        ("", "namespaces", "get list watch"),
        ("rbac.authorization.k8s.io", "clusterroles", "create update"),
    )
    for verb in verbs.split()
)
# Locks are people's to make and lift: the operator reads them, records what became of them, and removes those long over.
LOCKS: frozenset[Right] = frozenset(
    ("everywhere", f"jitaccess.dev/{resource}", verb)
    for resource, verbs in (("accesslocks", "get list watch delete"), ("accesslocks/status", "patch"))
    for verb in verbs.split()
)
# It hands the verb out to those who review emergency access, and may hand out only what it holds.
REVIEWS: frozenset[Right] = frozenset(
    ("everywhere", f"jitaccess.dev/{resource}", "review") for resource in ("accesspolicies", "clusteraccesspolicies")
)
CLUSTER_KINDS |= LOCKS | REVIEWS
IDENTITIES: frozenset[Right] = frozenset(
    ("jitaccess-grants", f"{group}/{resource}", verb)
    for group, resource, verbs in (
        ("", "serviceaccounts", "get list create delete impersonate"),
        ("", "serviceaccounts/token", "create"),
        ("jitaccess.dev", "grants", "use"),
    )
    for verb in verbs.split()
)
AUDIT: frozenset[Right] = frozenset(("jitaccess-system", "/configmaps named", verb) for verb in ("get", "update"))
NOTIFICATIONS: frozenset[Right] = frozenset(("jitaccess-system", "/configmaps named", verb) for verb in ("get", "update"))
CLUSTER_WIDE: frozenset[Right] = frozenset(
    ("everywhere", f"rbac.authorization.k8s.io/{resource}", verb)
    for resource, verbs in (
        ("clusterrolebindings", "get list watch create update delete"),
        ("clusterroles named", "bind-cluster-wide"),
    )
    for verb in verbs.split()
)


def _rights(folder: Path, *components: str) -> set[Right]:
    """What is bound to the operator's account with these components."""
    built = documents(_kustomize(_overlay(folder, "base", *components)))
    roles = {
        (each["kind"], each["metadata"].get("namespace", ""), each["metadata"]["name"]): each for each in built if "rules" in each
    }
    found: set[Right] = set()
    for binding in built:
        if {"kind": "ServiceAccount", "name": "jitaccess", "namespace": "jitaccess-system"} not in binding.get("subjects", []):
            continue
        space = binding["metadata"].get("namespace", "")
        kind, name = binding["roleRef"]["kind"], binding["roleRef"]["name"]
        for rule in roles[kind, space if kind == "Role" else "", name]["rules"]:
            named = " named" if rule.get("resourceNames") else ""
            found |= {
                (space or "everywhere", f"{group}/{resource}{named}", verb)
                for group in rule["apiGroups"]
                for resource in rule["resources"]
                for verb in rule["verbs"]
            }
    return found


@pytest.mark.parametrize(
    ("components", "rights"),
    [
        pytest.param(
            (), NAMESPACED_KINDS_ONLY | CLUSTER_KINDS, id="alone it gained the new kinds, namespaces and derived ClusterRoles"
        ),
        pytest.param(
            ("identities",), NAMESPACED_KINDS_ONLY | CLUSTER_KINDS | IDENTITIES, id="identities: in their namespace alone"
        ),
        pytest.param(("audit",), NAMESPACED_KINDS_ONLY | CLUSTER_KINDS | AUDIT, id="audit: one ConfigMap, and no Secret"),
        pytest.param(
            ("cluster-wide",),
            NAMESPACED_KINDS_ONLY | CLUSTER_KINDS | IDENTITIES | CLUSTER_WIDE,
            id="cluster-wide: ClusterRoleBindings too, of named roles",
        ),
        pytest.param(
            ("notifications",),
            NAMESPACED_KINDS_ONLY | CLUSTER_KINDS | NOTIFICATIONS,
            id="notifications: one ConfigMap, its memory",
        ),
    ],
)
def test_what_the_operator_may_do_is_this_and_no_more(tmp_path: Path, components: tuple[str, ...], rights: set[Right]) -> None:
    found = _rights(tmp_path, *components)
    assert (found - rights, rights - found) == (set(), set()), "too much, and too little"


def test_the_crds_of_the_clusters_kinds_are_written_from_those_of_the_namespaced_ones() -> None:
    for name, text in crds.written().items():
        assert (ROOT / "crds" / name).read_text() == text, f"{name}: make digest"


def test_the_network_policy_leaves_the_health_port_open_and_nothing_else() -> None:
    [policy] = _installed_kind("NetworkPolicy")
    [container] = _installed_kind("Deployment")[0]["spec"]["template"]["spec"]["containers"]
    [port] = container["ports"]
    assert policy["metadata"]["namespace"] == "jitaccess-system"
    assert policy["spec"] == {
        "podSelector": {},
        "policyTypes": ["Ingress"],
        "ingress": [{"ports": [{"port": port["containerPort"], "protocol": "TCP"}]}],
    }
    assert {"name": "JITACCESS_HEALTH_ADDRESS", "value": f"0.0.0.0:{port['containerPort']}"} in container["env"]


def test_the_operator_and_the_sweep_come_before_others_and_a_quota_lets_them() -> None:
    operator = _installed_kind("Deployment")[0]["spec"]["template"]["spec"]
    sweep = _installed_kind("CronJob")[0]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    [quota] = _installed_kind("ResourceQuota")
    assert {operator["priorityClassName"], sweep["priorityClassName"]} == {"system-cluster-critical"}
    [scope] = quota["spec"]["scopeSelector"]["matchExpressions"]
    assert scope == {"scopeName": "PriorityClass", "operator": "In", "values": ["system-cluster-critical"]}
    assert quota["metadata"]["namespace"] == "jitaccess-system"


@pytest.mark.parametrize("file", sorted((ROOT / "deploy" / "examples").glob("*.yaml")), ids=lambda file: file.name)
def test_every_example_is_a_manifest_for_kustomize_too(tmp_path: Path, file: Path) -> None:
    shutil.copy(file, tmp_path)
    (tmp_path / "kustomization.yaml").write_text(f"resources: [{file.name}]\n")
    assert "apiVersion: " in _kustomize(tmp_path)


def _kustomize(folder: Path) -> str:
    return _run(str(ensure_binaries()["kubectl"]), "kustomize", str(folder))


BLOCK = re.compile(r"^```(?:console|bash)\n(.*?)^```", re.MULTILINE | re.DOTALL)
FOLDERS = sorted(path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith((".", "__")))
PATH = re.compile(rf"(?<![\w./-])(?:{'|'.join(FOLDERS)})/[\w./-]*")
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")


def test_the_docs_are_there() -> None:
    assert {"README.md", "CONTRIBUTING.md", "operations.md", "trust.md", "cli.md", "lifecycle.md"} <= {doc.name for doc in DOCS}


@pytest.mark.parametrize("doc", DOCS, ids=lambda doc: doc.relative_to(ROOT).as_posix())
def test_every_file_that_the_docs_name_is_there(doc: Path) -> None:
    text = doc.read_text()
    named = {ROOT / path for block in BLOCK.findall(text) for path in PATH.findall(block)}
    inline = {ROOT / path.rstrip(".") for code in re.findall(r"`([^`\n]+)`", text) for path in PATH.findall(code)}
    linked = {doc.parent / link for link in LINK.findall(text)}
    assert [str(path) for path in sorted(named | inline | linked) if not path.exists()] == []


@pytest.mark.parametrize("doc", DOCS, ids=lambda doc: doc.relative_to(ROOT).as_posix())
def test_every_section_that_the_docs_link_to_is_there(doc: Path) -> None:
    for link, anchor in re.findall(r"\]\(([^)#:\s]*)#([^)]+)\)", doc.read_text()):
        target = doc.parent / link if link else doc
        headings = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE)
        anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
        assert anchor in anchors, f"{link}#{anchor}"


@pytest.mark.parametrize("doc", DOCS, ids=lambda doc: doc.relative_to(ROOT).as_posix())
def test_every_make_target_that_the_docs_name_is_there(doc: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = re.findall(r"(?:^\$ |`)make ([a-z-]+)", doc.read_text(), re.MULTILINE)
    assert set(named) <= targets


@pytest.mark.parametrize("doc", DOCS, ids=lambda doc: doc.relative_to(ROOT).as_posix())
def test_nothing_is_installed_by_name_from_an_index(doc: Path) -> None:
    """Whoever registers our name on a public index would get code onto laptops."""
    installs = re.findall(r"(?:pip|pipx|uv tool|uv pip) install ([^`\n#]*)", doc.read_text())
    by_name = [words for words in installs if re.search(r"""(?:^|\s)['"]?jitaccess(?![\w.-]*\.whl)""", words)]
    assert by_name == []


def test_the_readme_says_what_make_does() -> None:
    recipes = re.sub(r"@| \$\(if .*\)| --quiet| --disable-pip-version-check", "", (ROOT / "Makefile").read_text())
    variables = dict(re.findall(r"^(\w+) [?:]= (.*)$", recipes, re.MULTILINE))
    while "$(" in "".join(variables.values()):
        variables = {name: _filled(value, variables) for name, value in variables.items()}
    commands = {line.strip() for line in _filled(recipes, variables).splitlines() if line.startswith("\t")}
    [block] = re.findall(r"^## Without make\n.*?^```bash\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    said = [line.partition("  #")[0].strip() for line in block.splitlines()]
    assert len(said) == 5
    assert [line for line in said if line not in commands] == []


def _filled(text: str, variables: dict[str, str]) -> str:
    return re.sub(r"\$\((\w+)\)", lambda name: variables.get(name[1], name[0]), text)


def test_the_first_output_of_the_plugin_is_whole_and_fits() -> None:
    [table] = re.findall(r"^\$ alice jit policies\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert max(map(len, table.splitlines())) <= 80
    assert "\u2026" not in README, "nothing that was cut"


def test_what_is_scraped_is_what_runs(tmp_path: Path) -> None:
    built = documents(_kustomize(_overlay(tmp_path, "base", "monitoring")))
    by_kind = {each["kind"]: each for each in built if each["metadata"]["name"].startswith("jitaccess")}
    [monitored] = [each for each in built if each["kind"] == "PodMonitor"]
    template = next(each for each in built if each["kind"] == "Deployment")["spec"]["template"]
    assert monitored["spec"]["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    [endpoint] = monitored["spec"]["podMetricsEndpoints"]
    ports = {port["name"] for container in template["spec"]["containers"] for port in container["ports"]}
    assert (endpoint["port"] in ports, endpoint["path"]) == (True, "/metrics")
    assert by_kind["PrometheusRule"]["metadata"]["namespace"] == monitored["metadata"]["namespace"] == "jitaccess-system"
    [dashboard] = [each for each in built if each["metadata"]["name"] == "jitaccess-dashboard"]
    assert json.loads(dashboard["data"]["jitaccess.json"])["title"] == "jitaccess"
