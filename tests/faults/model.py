"""The model that whole lives are compared with: what a file holds after each command, by arithmetic alone."""

from dataclasses import dataclass, field, replace

from packnet_core.schema.commands import Add, Command, Discard, Drop, Evaluate, Preview, Prune, Train, Undo


@dataclass(frozen=True)
class Known:
    """A task as the model knows it; `most` has the most weights that it may own, by layer."""

    name: str
    phase: str
    most: dict[str, int]
    exact: bool = True  # the number of its weights is exact


@dataclass
class Model:
    """What the file holds, and the states that an interrupted job still has to bring it to."""

    weights: dict[str, int]
    tasks: list[Known] = field(default_factory=list)
    left: list[list[Known]] = field(default_factory=list)
    dropped: list[Known] | None = None  # the tasks before the last change, if that was a drop
    foreign: bool = False  # the journal tells of another file's jobs

    def free(self, layer: str) -> int:
        return self.weights[layer] - sum(task.most[layer] for task in self.tasks)

    @property
    def open(self) -> Known | None:
        return self.tasks[-1] if self.tasks and self.tasks[-1].phase != "sealed" else None

    def allows(self, command: Command, chance: bool) -> bool:
        """Whether the rules allow a command; `chance`: the open task is no better than chance."""
        resumes = isinstance(command, Train) and command.resumes
        adds = bool(self.left) and len(self.left[0]) > len(self.tasks)  # a task that is not in the file yet
        if isinstance(command, Discard):
            return bool(self.left)
        if isinstance(command, Undo):
            return self.dropped is not None and not self.left
        if isinstance(command, Drop) and adds:
            return False
        if self.left and not resumes and not (isinstance(command, Evaluate | Preview | Drop) or command.yes):
            return False
        match command:
            case Add(task=name):
                free = not self.tasks or any(self.free(layer) for layer in self.chosen(command))
                ready = self.open is None or (self.open.phase != "trained" and (command.yes or not chance))
                own = not command.own or bool(self.tasks)
                return free and ready and own and all(task.name != name for task in self.tasks)
            case Train() if resumes and self.left:
                return True
            case Prune() | Train() | Preview():
                return self.open is not None
            case Evaluate():
                return bool(self.tasks)
            case Drop(task=name):
                return len(self.tasks) > 1 and self.tasks[-1].name == name
        raise AssertionError(command)

    def chosen(self, command: Add) -> list[str]:
        kinds = command.layers if self.tasks else ()
        return [name for name in self.weights if not kinds or ("conv" in name) == ("conv" in kinds)]

    def after(self, command: Command, zeros: dict[str, int]) -> list[list[Known]]:
        """The states in which a command saves the file; `zeros`: how many of the open task's weights are 0.0."""
        sealed = [replace(task, phase="sealed") for task in self.tasks]
        match command:
            case Add():
                chosen = self.chosen(command)
                task = Known(command.task, "trained", {n: self.free(n) if n in chosen else 0 for n in self.weights})
                states = [[*sealed, task]]
                if command.prune is not None:
                    most = {name: count - round(command.prune * count) for name, count in task.most.items()}
                    states.append([*sealed, replace(task, phase="retrained", most=most, exact=not self.tasks)])
                return states
            case Prune(ratio=ratio):
                assert self.open
                most = {n: count - max(round(ratio * count), zeros[n]) for n, count in self.open.most.items()}
                return [[*self.tasks[:-1], replace(self.open, phase="retrained", most=most)]]
            case Train():
                assert self.open
                phase = "trained" if self.open.phase == "trained" else "retrained"
                return [[*self.tasks[:-1], replace(self.open, phase=phase)]]
            case Drop():
                return [sealed[:-1]]
            case Undo():
                assert self.dropped is not None
                return [self.dropped]
        return []
