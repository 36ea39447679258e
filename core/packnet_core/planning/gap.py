"""How close packing comes to one network per task, as a share of the gap between two errors. Needs no torch."""


def gap_closed(error: float | None, classifier: float | None, individual: float | None) -> float | None:
    """The share in percent of the gap from Classifier Only to an Individual Network (§4) that a task's error closes.

    All three are errors in percent: `error` is the packed task's, the others are the two baselines'. Above 100 the task
    is better than the individual network, below 0 worse than Classifier Only. None if one error is unknown, or if there
    is no gap because the individual network is no better than Classifier Only.

    gap_closed(18.0, classifier=34.0, individual=14.0)    # 80.0
    """
    if error is None or classifier is None or individual is None or classifier <= individual:
        return None
    return 100 * (classifier - error) / (classifier - individual)
