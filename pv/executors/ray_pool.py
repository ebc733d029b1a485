"""Actors of a Ray cluster, and the tasks that they serve or that wait for one.

An actor is made when a task finds none idle, and stays until the end: its worker keeps its libraries and its
zygote. It is never restarted by Ray, and no call is repeated by Ray: what is lost is told, and the sweep
decides. Where actors are placed is left to Ray, which knows who else uses the cluster.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from pv.errors import PvError
from pv.executors.protocol import Task
from pv.executors.ray_actor import Slot
from pv.executors.ray_nodes import Nodes

__all__ = ["Pool"]

_POLL_SECONDS = 2.0
"""An actor that has nothing to tell says so this often."""
_DEATH_SECONDS = 5.0
"""So long after an actor the death of its node may be noticed."""
_GRACE_SECONDS = 10.0
"""So long a cluster may be without a node for a task: one that restarts is back by then."""
_TELL_SECONDS = 3.0
_PAUSE_SECONDS = 3.0
"""So long after one did not come up the next is made: by then a node that died is known to be dead."""
_ATTEMPTS = 5
_DETAIL = 1 << 13

Tell = Callable[[Mapping[str, Any]], None]
Answered = Callable[["Actor", Any], None]


@dataclasses.dataclass(eq=False)
class Actor:
    """A slot somewhere; `node` is empty until it has greeted, `home` where it may be anywhere.

    `began` is whether it said that it has its task; `failed` is what its task brought along.
    """

    handle: Any
    kind: str
    home: str = ""
    node: str = ""
    task: Task | None = None
    began: bool = False
    failed: int = 0


@dataclasses.dataclass(eq=False)
class _Waiting:
    """A task that no actor has yet; `failed` counts the actors that were to have it and were dead by then."""

    task: Task
    since: float
    failed: int = 0
    told: bool = False


@dataclasses.dataclass(frozen=True)
class _Orphan:
    """A task whose actor died; whether its node did as well is known by `deadline`."""

    task: Task
    node: str
    why: str
    unreachable: bool
    deadline: float


class Pool:
    """Serves tasks by actors.

    Parameters
    ----------
    given
        What an actor is made with, but for ``gpu``.
    cpus
        Processors of a task that needs no GPU. One that does takes none besides: it must not wait until a
        node with GPUs has nothing else to do.
    patience
        Seconds that a task waits while no actor of its kind is alive.
    tell
        Hears every event.
    answered
        Is called, in a thread of Ray, with an actor and a finished future, which belong into :meth:`hear`.
    """

    def __init__(
        self,
        nodes: Nodes,
        given: Mapping[str, Any],
        cpus: float,
        patience: float,
        tell: Tell,
        answered: Answered,
    ) -> None:
        self._nodes = nodes
        self._given = given
        self._cpus = cpus
        self._patience = patience
        self._tell = tell
        self._answered = answered
        self._actors: list[Actor] = []
        self._waiting: dict[str, deque[_Waiting]] = {"cpu": deque(), "gpu": deque()}
        self._orphans: list[_Orphan] = []
        self._lacking: dict[str, float] = {}
        self._pause: dict[str, float] = {}

    @property
    def in_doubt(self) -> bool:
        """Whether it is not known yet what killed an actor."""
        return bool(self._orphans)

    def start(self, task: Task) -> None:
        """Give `task` to an actor, as soon as there is one for it."""
        kind = "cpu" if task["device"] == "cpu" else "gpu"
        now = time.monotonic()
        self._waiting[kind].append(_Waiting(task, now))
        if now - self._lacking.get(kind, now) > _GRACE_SECONDS:
            self._give_up(kind)
        self._serve()

    def hear(self, actor: Actor, future: Any) -> None:
        """Take what an actor answered.

        Raises
        ------
        PvError
            There is no project where it is.
        """
        try:
            answer = json.loads(future.result())
        except Exception as error:  # whatever it is, this actor is of no use any more
            self._died(actor, error)
            return
        if actor not in self._actors:
            return
        if not actor.node:
            if answer["refused"]:
                raise PvError(
                    f"node {self._nodes.name(answer['node'])} cannot work: {answer['refused']}",
                    remedy="put a copy of the project there; its folder is executors.ray.root",
                )
            actor.node = answer["node"]
        actor.began = actor.task is not None
        for event in answer if isinstance(answer, list) else ():
            self._tell(event)
            if event["kind"] != "progress":
                actor.task = None
        if actor.task is not None:
            self._call(actor, actor.handle.wait.remote(_POLL_SECONDS))
        self._serve()

    def tick(self) -> None:
        """Settle what waited long enough; to be called after every look at the nodes.

        Raises
        ------
        PvError
            No node is left that could run anything.
        """
        now = time.monotonic()
        for orphan in [*self._orphans]:
            self._settle(orphan, now)
        for kind, waiting in self._waiting.items():
            if self._nodes.can_take(kind):
                self._lacking.pop(kind, None)
            elif waiting and now - self._lacking.setdefault(kind, now) > _GRACE_SECONDS:
                self._give_up(kind)
            alive = any(actor.kind == kind and actor.node for actor in self._actors)
            for one in [*waiting]:
                if now - one.since > self._patience and not alive:
                    waiting.remove(one)
                    why = f"the cluster had no room for it within {self._patience:g} s"
                    self._lost(one.task, why, "executors.ray.patience says how long it waits", host=False)
                elif now - one.since > _TELL_SECONDS and not one.told:
                    one.told = True
                    what = "waiting for room in the cluster"
                    told = {"kind": "progress", "what": what, "done": 0, "total": None}
                    self._tell({"task": one.task["address"], **told})
        self._serve()

    def close(self, seconds: float) -> None:
        """End every actor: those that are idle in good order, the others at once."""
        good = [actor for actor in self._actors if actor.node and actor.task is None]
        for actor in self._actors:
            if actor not in good:
                _kill(actor)
        if good:
            ray.wait([actor.handle.end.remote() for actor in good], num_returns=len(good), timeout=seconds)
        for actor in good:
            _kill(actor)
        self._actors.clear()

    def _serve(self) -> None:
        for kind, waiting in self._waiting.items():
            mine = [actor for actor in self._actors if actor.kind == kind]
            for actor in mine:
                if waiting and actor.node and actor.task is None:
                    first = waiting.popleft()
                    actor.task, actor.began, actor.failed = first.task, False, first.failed
                    self._call(actor, actor.handle.start.remote(json.dumps(actor.task)))
            if time.monotonic() < self._pause.get(kind, 0.0) or not self._nodes.can_take(kind):
                continue
            coming = sum(not actor.node for actor in mine)
            for _ in range(len(waiting) - coming):
                self._create(kind)

    def _create(self, kind: str) -> None:
        needs = {"num_gpus": 1, "num_cpus": 0} if kind == "gpu" else {"num_cpus": self._cpus}
        home = self._home() if kind == "gpu" else ""
        where = NodeAffinitySchedulingStrategy(home, soft=False) if home else "SPREAD"
        options = {"max_restarts": 0, "max_task_retries": 0, "scheduling_strategy": where, **needs}
        given = json.dumps({**self._given, "gpu": kind == "gpu"})
        actor = Actor(ray.remote(Slot).options(**options).remote(given), kind, home)
        self._actors.append(actor)
        self._call(actor, actor.handle.greet.remote())

    def _home(self) -> str:
        """Return the node to take a GPU of; empty where Ray may choose, since all are of one kind."""
        if not self._nodes.are_mixed:
            return ""

        def room(node: str) -> int:
            return self._nodes.gpus_of(node) - sum(actor.home == node for actor in self._actors)

        return max(self._nodes.homes, key=room, default="")

    def _call(self, actor: Actor, reference: Any) -> None:
        reference.future().add_done_callback(lambda future: self._answered(actor, future))

    def _died(self, actor: Actor, error: Exception) -> None:
        if actor not in self._actors:
            return
        self._actors.remove(actor)
        _kill(actor)
        why = str(error)[-_DETAIL:]
        waiting = self._waiting[actor.kind]
        if actor.task is not None and actor.began:
            unreachable = isinstance(error, ray.exceptions.ActorUnavailableError)
            deadline = time.monotonic() + _DEATH_SECONDS
            self._orphans.append(_Orphan(actor.task, actor.node, why, unreachable, deadline))
        elif actor.task is not None:  # it had died while it was idle, which nobody had noticed
            waiting.appendleft(_Waiting(actor.task, time.monotonic(), actor.failed))
            self._blame(waiting, why)
        elif not actor.node and waiting:
            self._pause[actor.kind] = time.monotonic() + _PAUSE_SECONDS
            self._blame(waiting, why)
        self._serve()

    def _blame(self, waiting: deque[_Waiting], why: str) -> None:
        """Count an actor that was not there for the first of `waiting`; that many, and it is lost."""
        first = waiting[0]
        first.failed += 1
        if first.failed >= _ATTEMPTS:
            waiting.popleft()
            self._lost(first.task, f"no actor for it came up, in {_ATTEMPTS} attempts", why, host=True)

    def _settle(self, orphan: _Orphan, now: float) -> None:
        name = self._nodes.name(orphan.node)
        if not self._nodes.is_alive(orphan.node):
            why, host = f"node {name} of the cluster went away while it ran", True
        elif now < orphan.deadline:
            return
        elif orphan.unreachable:
            why, host = f"node {name} of the cluster could not be reached while it ran", True
        else:
            why, host = f"the actor that was to discharge it died on node {name}", False
        self._orphans.remove(orphan)
        self._lost(orphan.task, why, orphan.why, host=host)

    def _give_up(self, kind: str) -> None:
        if not self._nodes.slots:
            raise PvError(
                "the cluster has no node left that could run anything",
                remedy="when it is back: pv sweep --resume",
            )
        what = "a GPU" if kind == "gpu" else f"{self._cpus:g} processor(s)"
        while self._waiting[kind]:
            task = self._waiting[kind].popleft().task
            self._lost(task, f"no node of the cluster that is alive has {what}", "", host=False)

    def _lost(self, task: Task, why: str, detail: str, *, host: bool) -> None:
        self._tell({"task": task["address"], "kind": "lost", "why": why, "detail": detail, "host": host})


def _kill(actor: Actor) -> None:
    with contextlib.suppress(Exception):  # it may be dead, and its node as well
        ray.kill(actor.handle)
