"""A file's document with two small layers, and its tasks, for tests that need no file."""

from packnet_core.schema.document import Architecture, Data, Document, Error, Input, Layer, Task
from packnet_core.schema.recipes import Recipe


def task(name="cars", phase="retrained", top1=10.0):
    return Task(
        name=name,
        phase=phase,
        classes=("a", "b"),
        data=Data(source="/x", flip=True, limit=None, train=9, validation=1, test=5),
        recipe=Recipe(),
        prune_ratio=0.5,
        error=Error(top1=top1, top5=None, images=5),
        chance=50.0,
        weights_digest="",
        digest="",
    )


def document(*tasks, owned=5):
    counts = tuple(owned for _ in tasks)
    return Document(
        version=1,
        architecture=Architecture(name="x", head="fc", features=4),
        input=Input(channels=1, size=8, mean=(0.5,), std=(0.5,)),
        tasks=tasks,
        layers=(
            Layer(name="features.0.weight", shape=(4, 5), owned=counts),
            Layer(name="classifier.0.weight", shape=(4, 5), owned=counts),
        ),
        history=(),
    )
