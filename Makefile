# Everything a person or CI runs. Each target first sees to what is missing on the machine (scripts/setup).

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint bench fuzz quality million agreement

help:  ## list the targets
	@sed -n 's/^\([a-z]*\):.*  ## \(.*\)/make \1	\2/p' $(MAKEFILE_LIST) | expand -t 16

setup:  ## install or name what building and testing need
	@scripts/setup test

demo:  ## build Groundwire and watch it find scripted incidents in simulated traffic
	@scripts/setup demo
	cargo run --locked --release -- demo

test:  ## formatting, lints, documentation, all tests with a real Kafka broker
	@scripts/test

lint:  ## formatting, lints, licences
	@scripts/lint

bench:  ## CPU and memory per million events against a bare drain and a hand-written script
	@tests/bench/run

million:  ## a lake with a million answers, and every metric row of it recomputed
	@scripts/setup demo
	cargo build --locked --release
	@tests/bench/million.py

agreement:  ## every number against the library or the recomputation that it must agree with
	@scripts/setup test
	cargo test --locked --test integration agreement -- --nocapture

quality:  ## the scorers' quality on labelled sets (GROUNDWIRE_DATA), written into docs/quality.md
	@tests/quality/run

fuzz:  ## every fuzz target for ten minutes (FUZZ_SECONDS)
	@scripts/fuzz
