"""Manifests for the two operators that run Locust on Kubernetes; both call their resource LocustTest."""

import shlex
from collections.abc import Sequence

from harness.templates.scaled.run import HOME, REPORTS, Document, ScaledRun, counted, master_words, words

MOST_FILES = 1024 * 1024
"""Bytes of all files of a ConfigMap, by Kubernetes' own limit."""
_MOUNTED_BY_LOCUSTS = "/home/locust"
"""Where Locust's operator mounts the files, whatever the image."""
_FILES = f"{HOME}/files"
_USER = 10001
"""The user of the image."""
_RESOURCES = {"requests": {"cpu": "1", "memory": "512Mi"}, "limits": {"memory": "1Gi"}}
"""A process of Locust uses one core, and never more."""


def of_locusts_operator(run: ScaledRun) -> tuple[list[str], list[Document]]:
    """What a person is told, and the manifests of `locust.io/v1` for Locust's own operator.

    It knows neither volumes nor Secrets, so the run must need none. Its master stays until the LocustTest is deleted.
    """
    said = [*words(run, _MOUNTED_BY_LOCUSTS), *master_words(run, _MOUNTED_BY_LOCUSTS)]
    spec: Document = {
        "image": run.image,
        "workers": run.workers,
        # The operator puts --master or --worker before them, which the image takes for Locust's.
        "args": shlex.join([*map(_literal, said[1:]), f"--expect-workers={run.workers}"]),
        **({"env": _variables(run)} if run.region else {}),
        **({"locustfile": {"configMap": {"name": f"{run.name}-files"}}} if run.files else {}),
        "master": {"resources": _RESOURCES},
        "worker": {"resources": _RESOURCES},
    }
    told = [
        f"A master and {counted(run.workers)} for Locust's operator: kubectl apply -f THIS-FILE",
        f"Start it on the Canary tab: kubectl port-forward svc/{run.name}-webui 8089",
        "The operator mounts no volume: fetch the reports before you delete the LocustTest, which deletes the master:",
        f"  kubectl cp $(kubectl get pod -l locust.io/test-run={run.name},locust.io/component=master "
        f"-o name | cut -d/ -f2):{REPORTS} reports",
        *_permissions(run),
    ]
    return told, [*_files(run), _test("locust.io/v1", run, spec)]


def of_locust_k8s_operator(run: ScaledRun) -> tuple[list[str], list[Document]]:
    """The same with `locust.io/v2` for locust-k8s-operator; its Secret, if one is needed, is the person's to make."""
    secret = f"{run.name}-secrets"
    environment: Document = {
        **({"secretRefs": [{"name": secret}]} if run.secrets else {}),
        **({"variables": _variables(run)} if run.region else {}),
    }
    spec: Document = {
        "image": run.image,
        **({"testFiles": {"configMapRef": f"{run.name}-files", "srcMountPath": _FILES}} if run.files else {}),
        **({"env": environment} if environment else {}),
        "master": {
            "command": " ".join(map(_literal, [*words(run, _FILES), *master_words(run, _FILES)])),
            "autostart": True,
            "autoquit": {"enabled": True, "timeout": 5},
            "resources": _RESOURCES,
        },
        "worker": {"command": " ".join(words(run, _FILES)), "replicas": run.workers, "resources": _RESOURCES},
        "volumes": [{"name": "reports", "persistentVolumeClaim": {"claimName": f"{run.name}-reports"}}],
        "volumeMounts": [{"name": "reports", "mountPath": REPORTS, "target": "master"}],
        "security": {"podSecurityContext": {"runAsNonRoot": True, "runAsUser": _USER, "fsGroup": _USER}},
    }
    told = [
        f"A master and {counted(run.workers)} for locust-k8s-operator: kubectl apply -f THIS-FILE",
        f"It starts by itself; the exit code of the job {run.name}-master is the verdict's.",
        f"Reports stay in the claim {run.name}-reports when the LocustTest is deleted; delete the claim yourself.",
        *_secret(run, secret),
        *_permissions(run),
    ]
    return told, [*_files(run), _claim(run), _test("locust.io/v2", run, spec)]


def _test(version: str, run: ScaledRun, spec: Document) -> Document:
    return {"apiVersion": version, "kind": "LocustTest", "metadata": {"name": run.name}, "spec": spec}


def _files(run: ScaledRun) -> list[Document]:
    if not run.files:
        return []
    metadata = {"name": f"{run.name}-files"}
    return [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": dict(run.files)}]


def _claim(run: ScaledRun) -> Document:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    metadata = {"name": f"{run.name}-reports"}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}


def _variables(run: ScaledRun) -> list[Document]:
    return [{"name": "AWS_REGION", "value": run.region}]


def _secret(run: ScaledRun, secret: str) -> Sequence[str]:
    if not run.secrets:
        return ()
    needed = ", ".join(run.secrets)
    return (
        f"Make the Secret before, from a file with {needed}:",
        f"  kubectl create secret generic {secret} --from-env-file=secrets.env",
    )


def _permissions(run: ScaledRun) -> Sequence[str]:
    asked = (
        "The master asks AWS as the namespace's default service account: give it a role by EKS Pod Identity or IRSA."
    )
    return (asked,) if run.region else (f"{asked} Give --region, too.",)


def _literal(word: str) -> str:
    """A word in which Kubernetes sees no variable: it would put its value for `$(NAME)`."""
    return word.replace("$(", "$$(")
