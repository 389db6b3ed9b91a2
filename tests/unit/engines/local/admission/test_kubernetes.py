"""What a Kubernetes server asks of Services, Deployments and Pods, and what can run here."""

from __future__ import annotations

import textwrap

import pytest
from tests.objects import parsed

from meshdemo.engines.local import config_data, plan, programs
from meshdemo.engines.local.admission import admit
from meshdemo.objects.model import Object


def said(text: str) -> list[str]:
    return [str(problem) for problem in admit(parsed(text), []).problems]


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("{}", "spec.ports: it is missing"),
        ("{ports: []}", "at least one port"),
        ("{ports: [{port: 0}]}", "port number 0 is not in the range"),
        ("{ports: [{port: '80'}]}", 'a port\'s number is wanted, not the text "80"'),
        ("{ports: [{port: 80, name: a}, {port: 81}]}", "each of several ports needs a name"),
        ("{ports: [{port: 80, name: a}, {port: 81, name: a}]}", "two ports of the name"),
        ("{ports: [{port: 80, name: a}, {port: 80, name: b}]}", "duplicate port 80"),
        ("{ports: [{port: 80, name: A_b}]}", "not a valid name"),
        ("{ports: [{port: 80, targetPort: a_b}]}", "not a valid port name"),
        ("{ports: [{port: 80, protocol: SCTP}]}", "does not support"),
        ("{ports: [&p {port: 80, name: a, protocol: UDP}, {<<: *p, name: b}]}", "duplicate port"),
        ("{ports: [{port: 80}], clusterIP: None, type: NodePort}", "cannot be headless"),
        ("{ports: [{port: 80}], type: ExternalName}", "spec.externalName: it is missing"),
        ("{type: ExternalName, externalName: A_b}", "not a valid name"),
        ("{type: ExternalName, externalName: a.b, clusterIP: None}", "no address"),
        ("{ports: [{port: 80}], selector: {app: 1}}", 'write "1"'),
        ("{ports: [{port: 80, targtPort: 1}]}", "did you mean targetPort?"),
    ],
)
def test_what_a_server_refuses_in_a_service_is_refused(spec: str, words: str) -> None:
    head = "apiVersion: v1\nkind: Service\nmetadata: {name: other, namespace: default}\n"
    (found,) = said(f"{head}spec: {spec}")
    assert words in found


def plain(kind: str, api_version: str, more: str = "") -> str:
    return f"apiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: a}}\n{more}\n"


def test_kinds_without_effect_on_traffic_are_accepted_and_named_in_one_note() -> None:
    kinds = {
        "HorizontalPodAutoscaler": "autoscaling/v2beta2",
        "PodDisruptionBudget": "policy/v1",
        "PersistentVolumeClaim": "v1",
        "ClusterRole": "rbac.authorization.k8s.io/v1",
        "CustomResourceDefinition": "apiextensions.k8s.io/v1",
        "ServiceMonitor": "monitoring.coreos.com/v1",
        "Telemetry": "telemetry.istio.io/v1",
        "Gizmo": "example.org/v1alpha7",
    }
    text = "---\n".join(plain(kind, version, "spec: {x: [1]}") for kind, version in kinds.items())
    found = admit(parsed(text), [])
    assert (found.problems, found.warnings) == ((), ())
    assert [item.kind for item in found.objects] == [*kinds]
    (note,) = found.notes
    assert note.endswith(", ".join(sorted(kinds)))


@pytest.mark.parametrize(
    ("kind", "version", "words"),
    [
        ("Gateway", "networking.istio.io/v1", "--skip Gateway"),
        ("Gateway", "gateway.networking.k8s.io/v1", "--skip Gateway"),
        ("HTTPRoute", "gateway.networking.k8s.io/v1", "--skip HTTPRoute"),
        ("AuthorizationPolicy", "security.istio.io/v1", "leads or refuses requests"),
        ("WasmPlugin", "extensions.istio.io/v1alpha1", "leads or refuses requests"),
        ("EnvoyFilter", "networking.istio.io/v1alpha3", "leads or refuses requests"),
        ("EndpointSlice", "discovery.k8s.io/v1", "leads or refuses requests"),
        ("Ingress", "networking.k8s.io/v1", "leads or refuses requests"),
        ("IngressRoute", "traefik.io/v1alpha1", "leads or refuses requests"),
        ("Rollout", "argoproj.io/v1alpha1", "leads or refuses requests"),
        ("VirtualServce", "networking.istio.io/v1", "did you mean VirtualService?"),
        ("ConfigMpa", "v1", "did you mean ConfigMap?"),
        ("Moon", "apps/v1", "does not know the kind Moon"),
        ("Deployment", "app/v1", "write apps/v1"),
        ("Service", "serving.knative.dev/v1", "write v1"),
    ],
)
def test_a_kind_that_leads_requests_or_is_a_slip_is_refused(
    kind: str, version: str, words: str
) -> None:
    (found,) = said(plain(kind, version, "spec: {}"))
    assert words in found


@pytest.mark.parametrize(
    ("kind", "version"),
    [("NetworkPolicy", "networking.k8s.io/v1"), ("CiliumNetworkPolicy", "cilium.io/v2")],
)
def test_a_network_policy_is_taken_and_warned_of(kind: str, version: str) -> None:
    (warning,) = admit(parsed(plain(kind, version, "spec: {}")), []).warnings
    assert "no network policy is enforced here" in str(warning)
    assert warning.line == 2


def test_a_secret_is_stored_as_a_server_does_it() -> None:
    text = plain("Secret", "v1", "stringData: {b: 'x', c: z}\ndata: {a: aGk=, b: aGk=}")
    (stored,) = admit(parsed(text), []).objects
    assert stored.data["data"] == {"a": "aGk=", "b": "eA==", "c": "eg=="}
    assert "stringData" not in stored.data


@pytest.mark.parametrize(
    ("kind", "more", "words"),
    [
        ("ConfigMap", "data: {a: 1}", 'write "1"'),
        ("ConfigMap", "binaryData: {a: '?'}", "is not base64"),
        ("ConfigMap", "spec: {}", "does not know this field"),
        ("Secret", "data: {a: '?'}", "is not base64"),
    ],
)
def test_what_a_server_refuses_in_a_config_map_is_refused(kind: str, more: str, words: str) -> None:
    (found,) = said(plain(kind, "v1", more))
    assert words in found


def test_udp_is_taken_and_left_alone_as_istios_sidecars_do_it() -> None:
    ports = "[{port: 53, name: a}, {port: 53, name: b, protocol: UDP, targetPort: 5353}]"
    found = admit(
        parsed(plain("Service", "v1", f"spec: {{selector: {{app: a}}, ports: {ports}}}")), []
    )
    assert found.problems == ()
    assert found.notes == ("nothing listens on UDP here: Istio's sidecars leave it alone",)
    pod = plain("Pod", "v1", f"spec: {{containers: [{{{BOX}}}]}}").replace(
        "{name: a}", "{name: a, labels: {app: a}}"
    )
    (planned,) = plan.blueprints([*found.objects, *parsed(pod)])
    assert planned.ports == ((53, ""),)


def deployment(pod: str, labels: str = "{app: a}", more: str = "") -> str:
    return f"""
        apiVersion: apps/v1
        kind: Deployment
        metadata: {{name: other, namespace: default}}
        spec:
          selector: {{matchLabels: {{app: a}}}}
          template:
            metadata: {{labels: {labels}}}
            spec: {pod}
          {more}
    """


BOX = "name: a, image: meshdemo/echo"


@pytest.mark.parametrize(
    ("pod", "words"),
    [
        ("{}", "spec.containers: it is missing"),
        ("{containers: []}", "at least one container"),
        ("{containers: [{name: a}]}", "image: it is missing"),
        ("{containers: [{name: a, image: nginx}]}", "nothing runs the image 'nginx'"),
        ("{containers: [{name: A, image: meshdemo/echo}]}", "not a valid name"),
        ("{containers: [&c {name: a, image: meshdemo/echo}, *c]}", "two containers"),
        ("{containers: [{name: istio-proxy, image: meshdemo/echo}]}", "give it not injected"),
        ("{containers: [{name: a, image: meshdemo/echo, env: [{name: 'a=b'}]}]}", "environment"),
        (
            "{containers: [{name: a, image: meshdemo/echo, env: [{name: a, value: 1}]}]}",
            'text is wanted, not the number 1; write "1"',
        ),
        (
            "{containers: [{name: a, image: meshdemo/echo, env: [{name: a, valueFrom: {x: {}}}]}]}",
            "Kubernetes does not know this field",
        ),
        (
            (
                "{containers: [{name: a, image: meshdemo/echo, env: [{name: a, value: b, "
                "valueFrom: {fieldRef: {fieldPath: metadata.name}}}]}]}"
            ),
            "cannot stand beside valueFrom",
        ),
        (
            "{containers: [{name: a, image: meshdemo/echo, envFrom: [{prefix: a}]}]}",
            "needs a configMapRef or a secretRef",
        ),
        (
            "{containers: [{name: a, image: meshdemo/echo, ports: [{containerPort: 65536}]}]}",
            "port number 65536",
        ),
        (
            "{containers: [{name: a, image: meshdemo/echo, ports: [{containerPort: 1, name: A}]}]}",
            "not a valid port name",
        ),
        (
            "{containers: [{name: a, image: meshdemo/echo}], volumes: [{name: v, nfs: {path: /}}]}",
            "volumes[0].nfs: Kubernetes knows it, but the local engine does not",
        ),
        (
            f"{{containers: [{{{BOX}}}], volumes: [{{name: v, emptyDir: {{}}, nfs: {{a: b}}}}]}}",
            "only one of these may be there: emptyDir, nfs",
        ),
        (
            "{containers: [{name: a, image: meshdemo/echo}], volumes: [&v {name: v}, *v]}",
            "two volumes of the name",
        ),
        (
            f"{{containers: [{{{BOX}, volumeMounts: [{{name: w, mountPath: /w}}]}}]}}",
            'volumeMounts[0].name: there is no volume "w" in the pod',
        ),
        (
            '{containers: [{name: a, image: meshdemo/echo, env: [{name: a, value: "x\\0"}]}]}',
            "env[0].value: no environment can hold a NUL character",
        ),
        ("{containers: [{name: a, image: meshdemo/echo}], initContainers: [{}]}", "initContainers"),
        ("{containers: [{name: a, image: meshdemo/echo}], restartPolicy: Never}", "need Always"),
        ("{containers: 5}", "a list is wanted, not the number 5"),
    ],
)
def test_what_a_server_refuses_in_a_pod_is_refused(pod: str, words: str) -> None:
    found = said(deployment(pod))
    assert [item for item in found if words in item], found


ECHO = "{containers: [{name: a, image: meshdemo/echo}]}"


@pytest.mark.parametrize(
    ("labels", "more", "words"),
    [
        ("{app: b}", "", "selector does not match the labels of the pods: they have app=b"),
        ("{}", "", "they have no app"),
        ("{app: a, 'x y': b}", "", "not a valid label key"),
        ("{app: a}", "replicas: -1", "-1 is not in the range"),
        ("{app: a}", "replicas: two", "a whole number is wanted"),
        ("{app: a}", "replica: 2", "did you mean replicas?"),
        ("{app: a}", "paused: true", "does not support"),
    ],
)
def test_what_a_server_refuses_in_a_deployment_is_refused(
    labels: str, more: str, words: str
) -> None:
    found = said(deployment(ECHO, labels, more))
    assert [item for item in found if words in item], found


def test_fields_about_scheduling_and_hygiene_are_accepted_and_named_once() -> None:
    pod = """{
        terminationGracePeriodSeconds: 0, containers: [
          {name: a, image: meshdemo/echo, resources: {limits: {}}, imagePullPolicy: IfNotPresent},
          {name: b, image: meshdemo/echo, resources: {limits: {}}, readinessProbe: {tcpSocket: {}}}
        ]}"""
    admission = admit(parsed(deployment(pod, more="strategy: {type: Recreate}")), [])
    assert admission.problems == ()
    path = "Deployment spec.template.spec"
    assert [
        note.removesuffix(" has no effect on the local engine") for note in admission.notes
    ] == [
        f"{path}.terminationGracePeriodSeconds",
        f"{path}.containers[].resources",
        f"{path}.containers[].imagePullPolicy",
        f"{path}.containers[].readinessProbe",
        "Deployment spec.strategy",
    ]


def test_a_job_runs_to_its_end_and_a_pod_as_it_likes() -> None:
    spec = "{restartPolicy: POLICY, containers: [C]}"
    job = plain("Job", "batch/v1", f"spec: {{template: {{spec: {spec}}}}}")
    pod = plain("Pod", "v1", f"spec: {spec}")
    for text, taken in ((job, {"OnFailure", "Never"}), (pod, {"Always", "OnFailure", "Never"})):
        for policy in ("Always", "OnFailure", "Never"):
            found = said(text.replace("[C]", f"[{{{BOX}}}]").replace("POLICY", policy))
            assert (found == []) == (policy in taken)


@pytest.mark.parametrize("labels", ["{app: a}", "{app: b}"])
@pytest.mark.parametrize(
    ("kind", "selector"),
    [
        ("StatefulSet", "{matchLabels: {app: a}}"),
        ("DaemonSet", "{matchLabels: {app: a}}"),
        ("ReplicaSet", "{matchLabels: {app: a}}"),
        ("ReplicationController", "{app: a}"),
    ],
)
def test_a_workload_selects_its_own_pods(kind: str, selector: str, labels: str) -> None:
    version = "v1" if kind == "ReplicationController" else "apps/v1"
    template = f"{{metadata: {{labels: {labels}}}, spec: {{containers: [{{{BOX}}}]}}}}"
    found = said(plain(kind, version, f"spec: {{selector: {selector}, template: {template}}}"))
    assert [text for text in found if "does not match the labels" in text] == (
        found if labels == "{app: b}" else []
    )
    assert len(found) == (labels == "{app: b}")


def test_volumes_are_accepted_and_it_is_said_once_where_they_are() -> None:
    pod = """{
        containers: [{name: a, image: meshdemo/echo, volumeMounts: [{name: t, mountPath: /tmp}]}],
        volumes: [{name: t, emptyDir: {medium: Memory}}, {name: u, emptyDir: {}}, {name: v}]}"""
    admission = admit(parsed(deployment(pod)), [])
    assert admission.problems == ()
    (note,) = admission.notes
    assert note.startswith("volumes are not at their mountPath here")
    assert programs.mounted(admission.objects[0].pod_template) == {"t"}
    assert {*config_data.volumes(admission.objects[0].pod_template)} == {"t", "u", "v"}


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ('"python3 \\0"', "no command line can hold a NUL character"),
        ('"python3 \\"x"', "not a command line: No closing quotation"),
        ('" "', "the command is empty"),
    ],
)
def test_a_command_that_cannot_be_run_is_refused(command: str, words: str) -> None:
    text = deployment(ECHO).replace(
        "labels: {app: a}", f"labels: {{app: a}}, annotations: {{meshdemo.dev/command: {command}}}"
    )
    (found,) = said(text)
    assert words in found


SERVICE = (
    "apiVersion: v1\nkind: Service\nmetadata: {{name: s{n}, namespace: default}}\nspec: {spec}\n"
)
ACCOUNT = "apiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: s{n}, namespace: default}}\n"
PORTS = ", ".join(f"{{name: p{n}, port: {n}}}" for n in range(1, 601))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            deployment(ECHO, more="replicas: 1000000"),
            ["spec.replicas: in all there are 1,000,000"],
        ),
        (deployment(ECHO, more="replicas: 200"), []),
        (SERVICE.format(n=1, spec=f"{{ports: [{PORTS}]}}"), []),
        (
            "---\n".join(SERVICE.format(n=n, spec=f"{{ports: [{PORTS}]}}") for n in range(1, 10)),
            ["s1 spec.ports: in all there are 5,400 ports of Services, and the local engine"],
        ),
        (
            textwrap.dedent(deployment(ECHO, more="replicas: 2"))
            + "---\n"
            + SERVICE.format(n=1, spec=f"{{selector: {{app: a}}, ports: [{PORTS}]}}"),
            ["Deployment default/other: in all there are 1,200 ports of pods, and the local"],
        ),
        (
            SERVICE.format(n=1, spec=f"{{ports: [{PORTS}, {PORTS}]}}"),
            ["spec.ports: 1,200 items are more than the local engine takes: 1,000"],
        ),
        (
            "---\n".join(ACCOUNT.format(n=n) for n in range(5001)),
            ["s0: in all there are 5,001 objects, and the local engine takes 5,000"],
        ),
        (
            SERVICE.format(n=1, spec="{selector: {" + ", ".join(f"a{n}: b" for n in range(20000)))
            + "}, ports: [{port: 80}]}",
            ["s1: 20,0", "values are too many: the local engine takes 20,000 values in one object"],
        ),
    ],
    ids=["replicas", "200 pods", "600 ports", "ports", "pods' ports", "list", "objects", "values"],
)
def test_what_would_take_minutes_is_refused_by_its_bound(text: str, words: list[str]) -> None:
    found = said(text)
    assert len(found) == bool(words)
    assert all(word in found[0] for word in words)


@pytest.mark.parametrize("name", ["Other", "a_b", "-a", "a" * 64])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    text = (
        f"apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{ports: [{{port: 1}}]}}"
    )
    assert len(said(text)) == 1


def test_annotations_for_istio_are_honoured_or_named_or_refused() -> None:
    tags = {"proxy.istio.io/config": "x", "sidecar.istio.io/inject": "true", "my.org/note": "y"}
    names = {"name": "a", "namespace": "default", "annotations": tags}
    head = {"apiVersion": "v1", "kind": "ServiceAccount"}
    admission = admit([Object({**head, "metadata": names})], [])
    assert admission.problems == ()
    assert [note.partition(" has ")[0] for note in admission.notes] == [
        "ServiceAccount metadata.annotations.proxy.istio.io/config"
    ]
    redirect = {"traffic.sidecar.istio.io/excludeOutboundPorts": "80"}
    refused = admit([Object({**head, "metadata": {**names, "annotations": redirect}})], [])
    assert len(refused.problems) == 1


INSIDE = """{
    hostNetwork: true,
    hostAliases: [{ip: 127.0.0.1}],
    initContainers: [{name: first, image: busybox, command: [sh, -c, ls]}],
    containers: [
      {name: a, image: nginx, workingDir: /srv, lifecycle: {preStop: {}}, command: [nginx],
       ports: [{containerPort: 80, hostPort: 80}, {containerPort: 53, protocol: SCTP}],
       env: [{name: CPU, valueFrom: {resourceFieldRef: {resource: limits.cpu}}},
             {name: KEY, valueFrom: {secretKeyRef: {name: nowhere, key: key}}}],
       envFrom: [{configMapRef: {name: nowhere}}],
       volumeMounts: [{name: host, mountPath: /h}, {name: config, mountPath: /c}]}],
    volumes: [{name: host, hostPath: {path: /}}, {name: config, configMap: {name: nowhere}}]}"""


def stood_in(text: str, annotation: str = "all") -> str:
    return deployment(text, f"{{app: a}}, annotations: {{meshdemo.dev/stand-in: {annotation}}}")


def every_problem(text: str) -> list[str]:
    found = parsed(text)
    return said(text) + [str(each) for each in config_data.problems(found, [])]


def test_what_is_only_about_the_inside_of_a_container_means_nothing_to_a_stand_in() -> None:
    assert len(every_problem(deployment(INSIDE))) == 13
    assert every_problem(stood_in(INSIDE)) == []
    (note,) = [each for each in admit(parsed(stood_in(INSIDE)), []).notes if "stands in" in each]
    assert note == "the echo app stands in for nginx"


def test_beside_a_stand_in_what_another_container_needs_is_asked_for() -> None:
    other = "{name: b, image: example/b, workingDir: /b},"
    both = INSIDE.replace("    containers: [", f"    containers: [{other}", 1)
    found = every_problem(stood_in(both, "nginx"))
    for words in ("'example/b'", "containers[0].workingDir", "initContainers", "hostNetwork"):
        assert [text for text in found if words in text], words
    assert not [text for text in found if "containers[1]" in text]


def test_a_slip_in_a_stand_ins_container_is_refused_all_the_same() -> None:
    (found,) = every_problem(stood_in("{containers: [{name: a, image: nginx, volumMounts: []}]}"))
    assert "did you mean volumeMounts?" in found


def test_claims_of_a_stateful_set_mean_nothing_to_a_stand_in() -> None:
    pod = "{containers: [{name: a, image: redis, volumeMounts: [{name: data, mountPath: /d}]}]}"
    claims = "volumeClaimTemplates: [{metadata: {name: data}, spec: {accessModes: [x]}}]"
    plain_set = deployment(pod, more=claims).replace("Deployment", "StatefulSet")
    assert [text for text in said(plain_set) if "spec.volumeClaimTemplates: Kubernetes" in text]
    marked = plain_set.replace(
        "{app: a}}\n            spec",
        "{app: a}, annotations: {meshdemo.dev/stand-in: all}}\n            spec",
    )
    assert said(marked) == []
