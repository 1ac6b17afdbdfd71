"""What may outlive the hour, as data: rights that depend on what others make of them, and what they may allow, in words.

Behind most of these stands a controller with rights of its own: jitaccess knows what such controllers are for, and not what they
do in this cluster. That deserves a hint, not a refusal.
"""

from jitaccess.domain.effects import DELETE, EVERYTHING, WRITE, Effect

_ALL = (EVERYTHING,)
_LIFT = (*WRITE, *DELETE)  # where taking an object away lifts what it forbids
_SESSION = ("get", "create", "update")

_BUILT_IN = (
    Effect("may redirect or open traffic", "", ("services",)),
    Effect("may redirect or open traffic", "networking.k8s.io", ("ingresses", "networkpolicies"), _LIFT),
    Effect("may change how Pods are configured", "", ("configmaps",)),
    Effect("may lift limits", "", ("resourcequotas", "limitranges"), _LIFT),
    Effect("may lift limits", "policy", ("poddisruptionbudgets",), _LIFT),
    Effect("may hold devices", "resource.k8s.io", ("resourceclaims", "resourceclaimtemplates")),
)

_RUN_PODS = (
    ("tekton.dev", ("pipelineruns", "taskruns", "customruns", "pipelines", "tasks", "clustertasks", "runs")),
    ("triggers.tekton.dev", _ALL),
    ("argoproj.io", ("workflows", "cronworkflows", "workflowtemplates", "clusterworkflowtemplates", "rollouts", "sensors")),
    ("serving.knative.dev", _ALL),
    ("eventing.knative.dev", _ALL),
    ("sources.knative.dev", _ALL),
    ("kubevirt.io", _ALL),
    ("*.kubevirt.io", _ALL),
    ("keda.sh", _ALL),
    ("apps.openshift.io", _ALL),
    ("build.openshift.io", _ALL),
    ("template.openshift.io", _ALL),
    ("ray.io", _ALL),
    ("kubeflow.org", _ALL),
    ("sparkoperator.k8s.io", _ALL),
    ("batch.volcano.sh", _ALL),
    ("actions.github.com", _ALL),
    ("actions.summerwind.dev", _ALL),
    ("apps.kruise.io", _ALL),
    ("flagger.app", _ALL),
    ("jenkins.io", _ALL),
    ("monitoring.coreos.com", ("prometheuses", "alertmanagers", "thanosrulers", "prometheusagents")),
)
_APPLY = (
    ("argoproj.io", ("applications", "applicationsets", "appprojects")),
    ("*.toolkit.fluxcd.io", _ALL),
    ("operators.coreos.com", _ALL),
    ("helm.cattle.io", _ALL),
    ("fleet.cattle.io", _ALL),
    ("kro.run", _ALL),
    ("apps.open-cluster-management.io", _ALL),
    ("work.open-cluster-management.io", _ALL),
    ("core.oam.dev", _ALL),
)
_CLOUD = (
    ("*.crossplane.io", _ALL),
    ("*.upbound.io", _ALL),
    ("*.services.k8s.aws", _ALL),
    ("*.cnrm.cloud.google.com", _ALL),
    ("*.azure.com", _ALL),
    ("cluster.x-k8s.io", _ALL),
    ("*.cluster.x-k8s.io", _ALL),
    ("karpenter.sh", _ALL),
    ("karpenter.k8s.aws", _ALL),
    ("machine.openshift.io", _ALL),
    ("machineconfiguration.openshift.io", _ALL),
)
_SECRETS = (
    ("external-secrets.io", _ALL),
    ("*.external-secrets.io", _ALL),
    ("secrets.hashicorp.com", _ALL),
    ("secrets-store.csi.x-k8s.io", _ALL),
    ("bitnami.com", ("sealedsecrets",)),
    ("secretgenerator.mittwald.de", _ALL),
)
_CERTIFICATES = (("cert-manager.io", _ALL), ("*.cert-manager.io", _ALL))
_POLICIES = (
    ("kyverno.io", _ALL),
    ("*.kyverno.io", _ALL),
    ("*.gatekeeper.sh", _ALL),
    ("policies.kubewarden.io", _ALL),
)
_TRAFFIC = (
    ("*.istio.io", _ALL),
    ("gateway.networking.k8s.io", _ALL),
    ("linkerd.io", _ALL),
    ("*.linkerd.io", _ALL),
    ("cilium.io", _ALL),
    ("crd.projectcalico.org", _ALL),
    ("projectcalico.org", _ALL),
    ("traefik.io", _ALL),
    ("projectcontour.io", _ALL),
    ("getambassador.io", _ALL),
    ("k8s.nginx.org", _ALL),
    ("*.konghq.com", _ALL),
    ("route.openshift.io", _ALL),
    ("externaldns.k8s.io", _ALL),
    ("k8s.cni.cncf.io", _ALL),
)
_COPIES = (
    ("snapshot.storage.k8s.io", _ALL),
    ("groupsnapshot.storage.k8s.io", _ALL),
    ("velero.io", _ALL),
    ("longhorn.io", _ALL),
    ("volsync.backube", _ALL),
)

HINTS: tuple[Effect, ...] = (
    *_BUILT_IN,
    *(Effect("may run Pods", group, resources) for group, resources in _RUN_PODS),
    *(Effect("may apply any objects", group, resources) for group, resources in _APPLY),
    *(Effect("may create cloud resources", group, resources) for group, resources in _CLOUD),
    *(Effect("may read or write Secrets", group, resources) for group, resources in _SECRETS),
    *(Effect("may obtain certificates", group, resources) for group, resources in _CERTIFICATES),
    *(Effect("may lift or write admission policies", group, resources, _LIFT) for group, resources in _POLICIES),
    *(Effect("may redirect or open traffic", group, resources, _LIFT) for group, resources in _TRAFFIC),
    *(Effect("may copy volumes", group, resources) for group, resources in _COPIES),
    Effect(
        "may run commands in virtual machines",
        "subresources.kubevirt.io",
        ("virtualmachineinstances/console", "virtualmachineinstances/vnc", "virtualmachineinstances/portforward"),
        _SESSION,
    ),
    Effect("may autoscale Pods", "autoscaling.k8s.io", ("verticalpodautoscalers",)),
)

# Of cluster-wide access, which reaches the namespace of jitaccess too. Nothing in the cluster but jitaccess ends it.
_STOP = "may keep jitaccess from running, and this access from ending,"
EVERYWHERE: tuple[Effect, ...] = (
    Effect(_STOP, "", ("pods",), DELETE),
    Effect(_STOP, "", ("pods/eviction",), ("create",)),
    Effect(_STOP, "apps", ("deployments/scale", "replicasets/scale"), ("update", "patch")),
    Effect(_STOP, "apps", ("deployments", "replicasets"), DELETE),
    Effect(_STOP, "batch", ("cronjobs",), DELETE),
)

# The groups that come with Kubernetes, and ours: what can be done with them is in the tables, or harmless.
KNOWN_GROUPS = frozenset(
    {
        "",
        "admissionregistration.k8s.io",
        "apiextensions.k8s.io",
        "apiregistration.k8s.io",
        "apps",
        "authentication.k8s.io",
        "authorization.k8s.io",
        "autoscaling",
        "batch",
        "certificates.k8s.io",
        "coordination.k8s.io",
        "discovery.k8s.io",
        "events.k8s.io",
        "extensions",
        "flowcontrol.apiserver.k8s.io",
        "internal.apiserver.k8s.io",
        "jitaccess.dev",
        "metrics.k8s.io",
        "networking.k8s.io",
        "node.k8s.io",
        "policy",
        "rbac.authorization.k8s.io",
        "resource.k8s.io",
        "scheduling.k8s.io",
        "storage.k8s.io",
        "storagemigration.k8s.io",
    }
)
