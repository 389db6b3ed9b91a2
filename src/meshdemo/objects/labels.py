"""Labels and annotations that mean something to Kubernetes, Istio or us: each has its name here."""

from __future__ import annotations

INJECT_LABEL = "sidecar.istio.io/inject"
"""The label of a pod that says whether it gets a sidecar. Istio also takes it as an annotation."""
INJECTION_LABEL = "istio-injection"
"""The label of a namespace by which Istio's default revision injects sidecars there, or none."""
REVISION_LABEL = "istio.io/rev"
"""The label of a namespace, a pod, or a part of Istio: which revision of Istio it belongs to."""
INJECTED = "sidecar.istio.io/status"
"""The annotation of a pod that says what was injected into it."""
TAG_LABEL = "istio.io/tag"
"""The label of a webhook that names the tag, another name of a revision, that it serves."""
TEMPLATE_HASH_LABEL = "pod-template-hash"
"""The label by which a Deployment tells the pods of one template from those of another."""
CONTROLLER_HASH_LABEL = "controller-revision-hash"
"""The same of StatefulSets and DaemonSets."""
POD_NAME_LABEL = "statefulset.kubernetes.io/pod-name"
"""The label by which each pod of a StatefulSet says its name."""
EXPORT_TO = "networking.istio.io/exportTo"
"""The annotation by which a Service limits the namespaces that may see it."""
MANAGED_BY = "app.kubernetes.io/managed-by"
"""The label that names the program whose object it is."""

RUN_LABEL = "meshdemo.dev/run"
"""The label of what a run creates on a cluster: the namespace of that run."""
CLASS_LABEL = "meshdemo.dev/class"
"""The label of the namespaces that ``class up`` made, and of the rights in them: the class."""
STUDENT_LABEL = "meshdemo.dev/student"
"""The label of a namespace that ``class up`` made beside a student's own: that student."""
BESIDE = "meshdemo.dev/beside"
"""The annotation of a student's own namespace that names those beside it, with commas: a student
may not list namespaces."""
ADOPTED = "meshdemo.dev/adopted"
"""The annotation of an object that was there before us: ``down`` leaves it."""
INJECTION_CHOICE = "meshdemo.dev/injection"
"""The annotation that says who was to inject a sidecar, unless that was istioctl.

On a cluster it is a workload's. On the local engine it marks a pod template whose label ``false``
is not the user's.
"""
LABEL_IS_OURS = "meshdemo.dev/inject-label"
"""The annotation of a workload whose pods' label ``false`` is not the user's: it is of
``--injection none``."""
COMMAND = "meshdemo.dev/command"
"""The annotation of a pod template by which the local engine starts an image that it cannot run."""
STAND_IN = "meshdemo.dev/stand-in"
"""The annotation of a pod template by which the local engine runs the echo app in place of images
that it cannot run: a list of these images, with commas, or ``STAND_IN_FOR_ALL``."""
STAND_IN_FOR_ALL = "all"
DIRECTORY = "meshdemo.dev/directory"
"""The annotation of an object that the local engine stores: where the command that applied it was
run, and so where the commands of its pods run."""
