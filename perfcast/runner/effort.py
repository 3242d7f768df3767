"""What another visit is worth: whether to make up for disturbed ones, and which models to visit next."""

import math

CERTAINTY = 0.95


class History:
    """How many visits a campaign has made, and how many of them were calm, which is: not disturbed."""

    def __init__(self, calm=0, made=0):
        self.calm, self.made = calm, made

    def add(self, disturbed):
        self.made += 1
        self.calm += not disturbed

    def is_worth_repeating(self, repeats):
        """Say whether it is worth making up for disturbed visits.

        It is not once it is certain enough that calm is rare: so rare that all `repeats` which a model may have are
        more likely than not to bring no calm visit. The share of calm visits has a uniform prior. Its posterior is
        then a beta distribution, whose quantiles the tail of a binomial one gives.
        """
        if not repeats:
            return False
        rare = 1 - 0.5 ** (1 / repeats)
        if self.calm > rare * (self.made + 1):
            return True
        return 1 - binomial_cdf(self.calm, self.made + 1, rare) < CERTAINTY


def binomial_cdf(most, count, share):
    """Return the probability of at most `most` successes in `count` trials, each a success in `share` of all cases."""
    logs = [
        math.lgamma(count + 1)
        - math.lgamma(successes + 1)
        - math.lgamma(count - successes + 1)
        + successes * math.log(share)
        + (count - successes) * math.log1p(-share)
        for successes in range(most + 1)
    ]
    return math.fsum(math.exp(log) for log in logs)


def next_round(candidates):
    """Return the positions of the models to visit next: those whose next visit tells most.

    A candidate is a pair: the medians of a model's visits, and what a visit costs in s, None where that is unknown.
    While some models have less than two visits, the next round is of those with the fewest. Then it is of those whose
    next visit lowers the variance of their mean log latency by at least as much per second as the average does, which
    tends to Neyman's allocation: visits in proportion to standard deviation / sqrt(cost). A few visits that agree by
    chance say little of a variance: that of all models counts as much as one visit.
    """
    fewest = min(len(medians) for medians, _ in candidates)
    if fewest < 2:
        return [index for index, (medians, _) in enumerate(candidates) if len(medians) == fewest]
    squares = [deviations(medians) for medians, _ in candidates]
    pooled = math.fsum(squares) / sum(len(medians) - 1 for medians, _ in candidates)
    known = [cost for _, cost in candidates if cost]
    usual = math.fsum(known) / len(known) if known else 1.0
    gains = []
    for square, (medians, cost) in zip(squares, candidates):
        count = len(medians)
        gains.append((square + pooled) / count / (count * (count + 1)) / (cost or usual))
    average = math.fsum(gains) / len(gains)
    # Of equal gains rounding may leave none at the average.
    return [index for index, gain in enumerate(gains) if gain >= average * (1 - 1e-9)]


def deviations(medians):
    """Return the sum of the squared deviations of the logarithms from their mean."""
    logs = [math.log(max(1, median)) for median in medians]
    mean = math.fsum(logs) / len(logs)
    return math.fsum((log - mean) ** 2 for log in logs)
