"""How close packing comes to one network per task: the share of a gap between two errors. Needs no torch."""


def gap_closed(error: float | None, classifier: float | None, individual: float | None) -> float | None:
    """The share in percent of the gap from Classifier Only to an Individual Network (§4) that a task's error closes.

    All three are errors in percent: `error` of the task as packed, and those of the two baselines. Above 100 it is
    better than the individual network, below 0 worse than Classifier Only. None if one of them is unknown, or where
    there is no gap: the individual network is no better than Classifier Only.

    gap_closed(18.0, classifier=34.0, individual=14.0)    # 80.0
    """
    if error is None or classifier is None or individual is None or classifier <= individual:
        return None
    return 100 * (classifier - error) / (classifier - individual)
