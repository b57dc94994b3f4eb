"""check.py TOPIC LAKE: compares the rows that Groundwire wrote with the generator's truth table; ends with 1 on a difference.

The truth has, per (tenant, app, model, minute), the number of events, of those that did not end well, and of input and output
tokens. `interactions` must say the same when counted, and so must the published 1-minute rows of `metrics`.
"""

import os
import sys

import polars as pl

topic, lake = sys.argv[1], sys.argv[2]
KEY = ["tenant", "app", "model", "minute"]
truth = pl.read_parquet(f"{os.environ['TRUTH']}/{topic}.parquet").select(*KEY, "n", "errors", "tin", "tout")
# The generator closes the windows of all systems with one event of this tenant per partition.
real = pl.col("tenant") != "~end"


def compare(what, rows, columns):
    both = truth.join(rows, on=KEY, how="full", suffix="_got", coalesce=True)
    missing = both["n_got"].null_count()
    extra = both["n"].null_count()
    paired = both.drop_nulls(["n", "n_got"])
    wrong = {column: paired.filter(pl.col(column) != pl.col(f"{column}_got")).height for column in columns}
    print(f"{what}: {len(rows)} of {len(truth)} windows, {rows['n'].sum()} of {truth['n'].sum()} events, missing {missing}, extra {extra}, wrong {wrong}")
    return missing == 0 and extra == 0 and not any(wrong.values())


interactions = (
    pl.scan_parquet(f"{lake}/interactions/v1/*/*.parquet", hive_partitioning=False)
    .filter(real)
    .group_by("tenant", "app", pl.col("response_model").alias("model"), pl.col("event_time").dt.truncate("1m").dt.epoch("ms").alias("minute"))
    .agg(
        pl.len().cast(pl.Int64).alias("n"),
        (pl.col("status") != "ok").sum().cast(pl.Int64).alias("errors"),
        pl.col("usage_input_tokens").sum().alias("tin"),
        pl.col("usage_output_tokens").sum().alias("tout"),
    )
    .collect()
)
published = (
    pl.scan_parquet(f"{lake}/metrics/v1/*/*.parquet", hive_partitioning=False)
    .filter(real & (pl.col("window_s") == 60) & pl.col("metric").is_in(["requests", "tokens.input", "tokens.output"]))
    .collect()
)
dimensions = [column for column in ("tenant", "app", "response_model", "prompt_version", "variant", "environment") if column in published.columns]
newest = published.sort("revision").unique(["metric", "window_start", *dimensions], keep="last")
windows = newest.group_by("tenant", "app", pl.col("response_model").alias("model"), pl.col("window_start").dt.epoch("ms").alias("minute")).agg(
    pl.col("n").filter(pl.col("metric") == "requests").sum().alias("n"),
    pl.col("sum").filter(pl.col("metric") == "tokens.input").sum().cast(pl.Int64).alias("tin"),
    pl.col("sum").filter(pl.col("metric") == "tokens.output").sum().cast(pl.Int64).alias("tout"),
)
sound = compare("interactions", interactions, ["n", "errors", "tin", "tout"])
sound &= compare("metrics", windows, ["n", "tin", "tout"])
print(f"revisions beyond the first: {published.filter(pl.col('revision') > 0).height} rows")
sys.exit(0 if sound else 1)
