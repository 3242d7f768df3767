"""When a model has been visited often enough, and which visits count: decisions on numbers, nothing else.

A visit is a pair: the median of its samples in ns, and whether it was disturbed.
"""

import math

OTHERS_CPUS = 0.1

# Two-sided 95% points of Student's t distribution, by degrees of freedom from 1.
STUDENT_T = (12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281)
NORMAL = 1.959964


def is_finished(protocol, visits):
    """Say whether a model needs no more visits.

    Each disturbed visit is repeated, up to `repeats` in all. The adaptive protocol ends as soon as the calm visits
    agree well enough, and repeats disturbed ones only until there are enough calm ones.
    """
    calm = [median for median, disturbed in visits if not disturbed]
    if protocol["name"] == "adaptive" and len(calm) >= protocol["min_visits"]:
        return len(visits) >= protocol["visits"] or relative_half_width(calm) < protocol["rel_ci_half_width"]
    return len(visits) >= protocol["visits"] + min(len(visits) - len(calm), protocol["repeats"])


def relative_half_width(medians):
    """Return the half width of the 95% interval of a location, as a share of it.

    Student's t interval of the mean of the logarithms, so of the geometric mean; infinite for fewer than two values.
    """
    if len(medians) < 2:
        return math.inf
    logs = [math.log(max(1, median)) for median in medians]
    mean = math.fsum(logs) / len(logs)
    variance = math.fsum((log - mean) ** 2 for log in logs) / (len(logs) - 1)
    return math.expm1(student_t(len(logs) - 1) * math.sqrt(variance / len(logs)))


def student_t(freedom):
    """Return the two-sided 95% point of Student's t distribution.

    Above the table Cornish and Fisher's expansion (Abramowitz and Stegun, 26.7.5), right to four digits there.
    """
    if freedom <= len(STUDENT_T):
        return STUDENT_T[freedom - 1]
    z = NORMAL
    terms = (z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96, (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + sum(term / freedom ** (power + 1) for power, term in enumerate(terms))


def is_disturbed(calibration, limit_ns, others_cpus, spare_cpus):
    """Say whether others had a part of the machine during a visit.

    The calibration took longer than `limit_ns`, before and after taken together, or others kept more CPUs busy than
    the model left over.
    """
    around_ns = (calibration["before_ns"] + calibration["after_ns"]) / 2
    return around_ns > limit_ns or (others_cpus or 0.0) > spare_cpus + OTHERS_CPUS
