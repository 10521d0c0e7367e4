"""Writes tests/data/statistics_scipy.json: tests, intervals and agreement as scipy, scikit-learn and statsmodels
compute them, for src/evaluate/statistics.h and bootstrap.h.

scipy draws the resamples of the bootstrap with the counter-based numbers of core/random.h, so the intervals agree
to rounding. Run with a Python that has the packages:

    python3 -m venv oracle && oracle/bin/pip install scipy scikit-learn statsmodels
    oracle/bin/python tests/oracle/make_statistics.py
"""

import json
import math
import pathlib

import numpy as np
import scipy
import scipy.stats
import sklearn
import sklearn.metrics
import statsmodels
import statsmodels.stats.multitest

MASK = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15


def mix64(z):
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


class CounterRandom(np.random.RandomState):
    """core/random.h as a source of numbers for scipy: CounterRandom(seed, name).below(0, 1, 2 ...)."""

    def __init__(self, seed, name):
        super().__init__(0)
        hash_of_name = 0xCBF29CE484222325
        for byte in name.encode():
            hash_of_name = ((hash_of_name ^ byte) * 0x100000001B3) & MASK
        self.key = mix64(hash_of_name ^ mix64((seed + GOLDEN) & MASK))
        self.next = 0

    def randint(self, low, high=None, size=None, dtype=int):
        low, high = (0, low) if high is None else (low, high)
        count = int(np.prod(size))
        drawn = [low + (mix64((self.key + (index + 1) * GOLDEN) & MASK) * (high - low) >> 64)
                 for index in range(self.next, self.next + count)]
        self.next += count
        return np.array(drawn).reshape(size)


def mcnemar_cases():
    pairs = [(0, 0), (0, 1), (1, 0), (3, 3), (1, 2), (0, 6), (5, 0), (12, 25), (36, 20), (400, 470), (3000, 3100),
             (20000, 20900), (0, 200)]
    return [dict(only_first=b, only_second=c,
                 p=scipy.stats.binomtest(min(b, c), b + c, 0.5).pvalue if b + c else 1.0) for b, c in pairs]


def proportion_cases():
    cases = []
    for right, of in [(0, 1), (1, 1), (0, 20), (20, 20), (7, 15), (230, 302), (214, 302), (98, 148), (1, 2374),
                      (2000, 2374)]:
        test = scipy.stats.binomtest(right, of)
        for confidence in (0.9, 0.95, 0.999):
            wilson = list(test.proportion_ci(confidence, "wilson"))
            cases.append(dict(right=right, of=of, confidence=confidence, wilson=wilson))
    return cases


def needed_cases():
    """Connor's formula with a continuity correction, and the power of the exact test with that many pairs."""
    cases = []
    for both, b, c, neither in [(180, 34, 50, 38), (214, 0, 16, 72), (10, 2, 1, 2), (700, 300, 320, 1054),
                                (0, 5, 0, 0), (90, 5, 15, 40), (5, 8, 2, 5)]:
        n = both + b + c + neither
        for alpha, power in ((0.05, 0.8), (0.01, 0.95)):
            za, zb = scipy.stats.norm.isf(alpha / 2), scipy.stats.norm.isf(1 - power)
            psi, delta = (b + c) / n, (c - b) / n
            m = (za * math.sqrt(psi) + zb * math.sqrt(psi - delta**2))**2 / delta**2
            needed = math.ceil(m / 4 * (1 + math.sqrt(1 + 4 / (m * abs(delta))))**2 - 1e-9)
            cases.append(dict(both=both, only_first=b, only_second=c, neither=neither, alpha=alpha, power=power,
                              needed=needed, exact_power=exact_power(needed, b / n, c / n, alpha)))
    return cases


def exact_power(pairs, p_first, p_second, alpha):
    """Of the exact McNemar test: the sum over the numbers of discordant pairs."""
    psi = p_first + p_second
    power = 0
    for discordant in range(pairs + 1):
        weight = scipy.stats.binom.pmf(discordant, pairs, psi)
        if weight < 1e-12 or discordant == 0:
            continue
        few = np.arange(discordant // 2 + 1)
        rejected = few[np.minimum(1, 2 * scipy.stats.binom.cdf(few, discordant, 0.5)) < alpha]
        if not len(rejected):
            continue
        edge = rejected[-1]
        side = scipy.stats.binom(discordant, p_second / psi)
        power += weight * (side.cdf(edge) + side.sf(discordant - edge - 1))
    return power


def holm_cases():
    return [dict(p=p, corrected=statsmodels.stats.multitest.multipletests(p, method="holm")[1].tolist())
            for p in ([0.03], [0.01, 0.04, 0.03, 0.005], [0.5, 0.6, 0.7], [0.02, 0.02, 0.9])]


def kappa_cases():
    random = np.random.default_rng(3)
    cases = []
    for categories, items, agree in [(2, 302, 0.95), (2, 40, 0.5), (5, 82, 0.6), (3, 30, 0.0)]:
        first = random.integers(0, categories, items)
        other = random.integers(0, categories, items)
        second = np.where(random.random(items) < agree, first, other)
        table = sklearn.metrics.confusion_matrix(first, second, labels=range(categories))
        cases.append(dict(table=table.ravel().tolist(), kappa=sklearn.metrics.cohen_kappa_score(first, second)))
    return cases


def bootstrap_cases():
    """Pictures with one to four items: the difference of two systems over items, and the kappa of two judges."""
    random = np.random.default_rng(4)
    cases = []
    for clusters, most, seed, confidence, resamples in [(2, 1, 0, 0.95, 200), (37, 1, 0, 0.95, 2000),
                                                        (60, 4, 7, 0.9, 2000), (150, 2, 1, 0.999, 3000)]:
        items = random.integers(1, most + 1, clusters)
        tables = np.array([random.multinomial(n, [0.55, 0.1, 0.18, 0.17]) for n in items])
        rows = np.arange(clusters)

        def mean(index, axis=-1):
            chosen = tables[index.astype(int)]
            return (chosen[..., 2] - chosen[..., 1]).sum(-1) / chosen.sum((-1, -2))

        def kappa(index, axis=-1):
            t = tables[index.astype(int)].sum(-2)
            n = t.sum(-1)
            observed = (t[..., 0] + t[..., 3]) / n
            expected = ((t[..., 0] + t[..., 1]) * (t[..., 0] + t[..., 2]) +
                        (t[..., 2] + t[..., 3]) * (t[..., 1] + t[..., 3])) / n**2
            with np.errstate(invalid="ignore", divide="ignore"):
                return (observed - expected) / (1 - expected)

        case = dict(tables=tables.tolist(), seed=seed, confidence=confidence, resamples=resamples)
        for name, statistic in (("mean", mean), ("kappa", kappa)):
            # As random_state: scipy makes a generator of its own from what is given as rng.
            source = CounterRandom(seed, "bootstrap")
            result = scipy.stats.bootstrap((rows,), statistic, n_resamples=resamples, vectorized=True,
                                           confidence_level=confidence, method="percentile", random_state=source)
            assert source.next == resamples * clusters
            low, high = result.confidence_interval
            case[name] = [low, high] if np.isfinite(low) else None
        cases.append(case)
    return cases


path = pathlib.Path(__file__).resolve().parent.parent / "data" / "statistics_scipy.json"
values = dict(scipy=scipy.__version__, sklearn=sklearn.__version__, statsmodels=statsmodels.__version__,
              mcnemar=mcnemar_cases(), proportion=proportion_cases(), needed=needed_cases(), holm=holm_cases(),
              kappa=kappa_cases(), bootstrap=bootstrap_cases())
path.write_text(json.dumps(values, allow_nan=False) + "\n")
