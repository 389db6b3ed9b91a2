"""Measure a class on a cluster: what the last student waits for, and whether students meet.

A part of bench/cluster.py. How many students there are: MESHDEMO_BENCH_STUDENTS, unless said 20;
each takes three pods with sidecars, and a sidecar three inotify instances of its node (42 sidecars
where fs.inotify.max_user_instances is 128).
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from run import Row

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cluster import Cluster

STUDENTS = int(os.environ.get("MESHDEMO_BENCH_STUDENTS", "20"))
ANSWERS = 459
"""For each student: with so many a share of 1 % of foreign answers shows, with 99 % confidence."""
SLOWEST = 2.0
"""How much longer the last student's `up` may take than the first one's."""
ASK = f"curl -s -w '\\n' 'http://app/env/HOSTNAME?[1-{ANSWERS}]'"
"""Has the app say the name of its pod, which no other pod of the cluster has."""


class Student:
    """One who has a kubeconfig, and nothing else."""

    def __init__(self, cluster: Cluster, kubeconfig: Path) -> None:
        self.cluster, self.name = cluster, kubeconfig.stem
        state = Path(cluster.folder) / self.name
        self.flags = ["--kubeconfig", str(kubeconfig), "--state-dir", str(state)]

    def does(self, *argv: str) -> float:
        return self.cluster.sh(shlex.join([*self.program(argv[0]), *argv[1:]]))

    def program(self, command: str) -> list[str]:
        return [self.cluster.program, command, *self.flags]

    def up(self) -> float:
        return self.does("up", "--injection", "auto")

    def foreign_answers(self) -> int:
        """Count the answers that none of the student's own pods gave."""
        told = [*self.program("exec"), "-q", "--", "sh", "-c", ASK]
        said = subprocess.run(told, capture_output=True, text=True, check=True).stdout.split()
        if len(said) != ANSWERS:
            raise SystemExit(f"bench: {self.name}: {len(said)} of {ANSWERS} answers")
        kubectl = self.cluster.kubectl("-n", self.name, "get", "pods", "-o", "name")
        listed = subprocess.run(shlex.split(kubectl), capture_output=True, text=True, check=True)
        own = {line.removeprefix("pod/") for line in listed.stdout.split()}
        return sum(name not in own for name in said)


def class_rows(cluster: Cluster) -> Iterator[Row]:
    """Set a class up, have its students work in turn and all at once, and remove it."""
    folder = Path(cluster.folder) / "kubeconfigs"
    name = cluster.namespace()
    of_class = ["--name", name, "--folder", str(folder)]
    try:
        took = cluster.meshdemo("class", "up", "--students", str(STUDENTS), *of_class)
        _tell(f"class up, {STUDENTS} students: {took:.1f} s")
        students = [Student(cluster, file) for file in sorted(folder.glob("*.yaml"))]
        _warm_up(students[0])
        yield _in_turn(students)
        yield _without_cross_talk(students)
        _at_once(students, "down")
        _at_once(students, "up", "--injection", "auto")
    finally:
        took = cluster.meshdemo("class", "down", *of_class)
        _tell(f"class down, with all that runs: {took:.1f} s")


def _warm_up(student: Student) -> None:
    """Have the node pull the images, which would make the first `up` longer than any other."""
    student.up()
    student.does("down")


def _tell(text: str) -> None:
    """Print a figure that has no bar, beside the table."""
    print(text, file=sys.stderr, flush=True)


def _in_turn(students: Sequence[Student]) -> Row:
    took = []
    for student in students:
        took.append(student.up())
        _tell(f"up of {student.name}: {took[-1]:.1f} s")
    first, last = took[0], took[-1]
    return Row(
        f"`up` of student {len(students)}, the others' meshes running",
        "`up` of the first student",
        f"{last:.2f} s",
        f"{first:.2f} s",
        last / first,
        SLOWEST,
    )


def _at_once(students: Sequence[Student], *argv: str) -> None:
    """Have all do the same at once; each must succeed."""
    began = time.monotonic()
    with ThreadPoolExecutor(max_workers=len(students)) as pool:
        took = list(pool.map(lambda student: student.does(*argv), students))
    whole = time.monotonic() - began
    _tell(
        f"{argv[0]}, all {len(students)} at once: all succeed, the last after {whole:.1f} s, "
        f"the first after {min(took):.1f} s"
    )


def _without_cross_talk(students: Sequence[Student]) -> Row:
    with ThreadPoolExecutor(max_workers=len(students)) as pool:
        foreign = sum(pool.map(Student.foreign_answers, students))
    total = len(students) * ANSWERS
    return Row(
        "answers of another student's pods, all asking at once",
        f"{len(students)} x {ANSWERS} answers",
        f"{foreign:,}",
        f"{total:,}",
        foreign / total,
        0,
    )
