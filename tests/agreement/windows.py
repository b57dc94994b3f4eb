"""windows.py LIBRARY CASES: what another library says about the windows in CASES, as one JSON object by case.

CASES holds a list of {kind, values: {window, reference}, bins: {window, reference}, middles: {window, reference}}: the values, the bin of
our histogram that each falls in, and the middle of that bin. LIBRARY is scipy, evidently or nannyml; each runs in an environment of its own.
"""

import json
import os
import sys
import warnings

# Neither library may report that it is used.
os.environ["DO_NOT_TRACK"] = "1"
os.environ["NML_DISABLE_USAGE_LOGGING"] = "1"
os.environ["EVIDENTLY_DISABLE_TELEMETRY"] = "1"
warnings.filterwarnings("ignore")

import numpy as np


def deciles(bins):
    """Our bins for numbers, written down slowly: cut at the deciles of the reference, ties merged."""
    reference = np.sort(np.asarray(bins["reference"]))
    m = len(reference)
    cuts = sorted({int(reference[-(-k * m // 10) - 1]) for k in range(1, 10)})
    greatest = int(reference[-1])
    cuts = [cut for cut in cuts if cut < greatest] or [cut for cut in (greatest - 1, greatest) if cut >= 0]
    return tuple(np.searchsorted(cuts, np.asarray(bins[side]), side="left") for side in ("window", "reference"))


def categories(bins):
    """Our bins for categories: at most 20, of which ten are expected in the window; the rest together."""
    window, reference = (np.asarray(bins[side]) for side in ("window", "reference"))
    names, counts = np.unique(reference, return_counts=True)
    order = sorted(zip(-counts, names))[:20]
    known = [name for count, name in order if -count * len(window) >= 10 * len(reference)]
    place = {name: at for at, name in enumerate(known)}
    return tuple(np.array([place.get(value, len(known)) for value in side]) for side in (window, reference))


def grouped(case):
    return categories(case["bins"]) if case["kind"] == "category" else deciles(case["bins"])


def scipy(case):
    from scipy import stats
    from scipy.spatial import distance

    window, reference = grouped(case)
    groups = max(window.max(), reference.max()) + 1
    w, r = (np.bincount(side, minlength=groups) for side in (window, reference))
    used = w + r > 0
    w, r = w[used], r[used]
    n, m, bins = w.sum(), r.sum(), len(w)
    p, q = (w + 0.5) / (n + bins / 2), (r + 0.5) / (m + bins / 2)
    psi = ((p - q) * np.log(p / q)).sum()
    found = {
        "bins": bins,
        "psi": psi,
        "p": stats.chi2.sf(psi / (1 / n + 1 / m), bins - 1) if bins > 1 else 1.0,
        "js": distance.jensenshannon(w / n, r / m, base=2),
    }
    if case["kind"] == "category":
        if bins > 1:
            chi = stats.chi2_contingency([w, r], correction=False)
            found |= {"chi_square": chi.statistic, "chi_square_p": chi.pvalue}
    else:
        for suffix, source in (("", "middles"), ("_raw", "values")):
            here, there = (np.asarray(case[source][side], dtype=float) for side in ("window", "reference"))
            ks = stats.ks_2samp(here, there, method="asymp")
            norm = max(np.std(np.asarray(case["values"]["reference"], dtype=float)), 0.001)
            found |= {"ks" + suffix: ks.statistic, "ks_p" + suffix: ks.pvalue, "wasserstein" + suffix: stats.wasserstein_distance(here, there) / norm}
    return found


def evidently(case):
    import pandas as pd
    from evidently.legacy.calculations.stattests import (
        chi_stat_test, jensenshannon_stat_test, ks_stat_test, psi_stat_test, wasserstein_stat_test,
    )
    from evidently.legacy.core import ColumnType

    def score(test, reference, window, kind):
        return float(test.func(pd.Series(reference), pd.Series(window), kind, test.default_threshold)[0])

    window, reference = (list(map(str, side)) for side in grouped(case))
    found = {
        "psi": score(psi_stat_test, reference, window, ColumnType.Categorical),
        "js": score(jensenshannon_stat_test, reference, window, ColumnType.Categorical),
    }
    if case["kind"] == "category":
        found["chi_square_p"] = score(chi_stat_test, reference, window, ColumnType.Categorical)
    else:
        here, there = case["values"]["window"], case["values"]["reference"]
        found["wasserstein"] = score(wasserstein_stat_test, there, here, ColumnType.Numerical)
        found["ks_p"] = score(ks_stat_test, there, here, ColumnType.Numerical)
        found["psi_own_bins"] = score(psi_stat_test, there, here, ColumnType.Numerical)
        found["js_own_bins"] = score(jensenshannon_stat_test, there, here, ColumnType.Numerical)
    return found


def nannyml(case):
    import pandas as pd
    from nannyml.chunk import SizeBasedChunker
    from nannyml.drift.univariate.methods import FeatureType, MethodFactory
    from nannyml.thresholds import ConstantThreshold

    def score(key, kind, reference, window):
        method = MethodFactory.create(key=key, feature_type=kind, chunker=SizeBasedChunker(1000), threshold=ConstantThreshold(upper=0.1))
        method._fit(pd.Series(reference))
        return float(method._calculate(pd.Series(window)))

    window, reference = (list(map(str, side)) for side in grouped(case))
    found = {"js": score("jensen_shannon", FeatureType.CATEGORICAL, reference, window)}
    if case["kind"] == "category":
        found["chi_square"] = score("chi2", FeatureType.CATEGORICAL, reference, window)
    else:
        here, there = case["values"]["window"], case["values"]["reference"]
        found["ks"] = score("kolmogorov_smirnov", FeatureType.CONTINUOUS, there, here)
        found["wasserstein"] = score("wasserstein", FeatureType.CONTINUOUS, there, here) / max(np.std(there), 0.001)
        found["js_own_bins"] = score("jensen_shannon", FeatureType.CONTINUOUS, there, here)
    return found


def intervals(case):
    """Intervals of statsmodels and scipy for {b, n, f, c, m, g, mean, sd, mean2, sd2}."""
    from scipy import stats
    from statsmodels.stats import proportion, weightstats

    b, n, f, c, m, g = (case[key] for key in "bnfcmg")
    wilson = proportion.proportion_confint(b / f, n / f, method="wilson")
    newcombe = proportion.confint_proportions_2indep(b, n, c, m, method="newcomb", compare="diff")
    t = stats.t.interval(0.95, n - 1, case["mean"], case["sd"] * np.sqrt(f) / np.sqrt(n))
    sides = [stats.norm.ppf(np.arange(0.5, k) / k) for k in (n, m)]
    sides = [mean + sd * np.sqrt(w) * (x - x.mean()) / x.std(ddof=1) for x, mean, sd, w in zip(sides, (case["mean"], case["mean2"]), (case["sd"], case["sd2"]), (f, g))]
    welch = weightstats.CompareMeans.from_data(*sides).tconfint_diff(usevar="unequal")
    return {"wilson": list(map(float, wilson)), "newcombe": list(map(float, newcombe)), "t": list(map(float, t)), "welch": list(map(float, welch))}


library, path = sys.argv[1:]
with open(path) as file:
    print(json.dumps([{key: (value if isinstance(value, list) else float(value)) for key, value in globals()[library](case).items()} for case in json.load(file)]))
