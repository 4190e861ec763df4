# What CI runs, one piece at a time. PYTHON may name another interpreter: make test PYTHON=...
PYTHON ?= python3

.PHONY: help install test quick lint format types docs conformance accuracy accuracy-cost bench \
        regressions

help:
	@echo "install      the package, editable, with everything the tests use"
	@echo "test         every test;   quick: all but the slow ones"
	@echo "lint         ruff's rules and format;   format: apply them"
	@echo "types        mypy --strict"
	@echo "docs         regenerate docs/command_line.md"
	@echo "conformance  regenerate docs/conformance.md, hold every backend to cpp in full"
	@echo "accuracy     regenerate docs/accuracy.md"
	@echo "accuracy-cost  measure accuracy against cost (LEMSMITH_PEERS=PYTHON with simulators)"
	@echo "bench        the benchmarks"
	@echo "regressions  our own times, held against the run before (lemsmith[bench])"

install:
	$(PYTHON) -m pip install -e '.[dev,plot,hdf5,xsd]'

test:
	$(PYTHON) -m pytest

quick:
	$(PYTHON) -m pytest -m 'not slow'

lint:
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .

format:
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m ruff format .

# The package is the repository's root, so mypy looks at it through a link of its name.
types:
	folder=$$(mktemp -d) && trap 'rm -r "$$folder"' EXIT && \
	ln -s "$(CURDIR)" "$$folder/lemsmith" && cd "$$folder" && \
	$(PYTHON) -m mypy --config-file "$(CURDIR)/pyproject.toml" \
	    --cache-dir "$(CURDIR)/.mypy_cache" --package lemsmith && \
	MYPYPATH="$$folder:$(CURDIR)/tests/conformance" $(PYTHON) -m mypy \
	    --config-file "$(CURDIR)/pyproject.toml" --cache-dir "$(CURDIR)/.mypy_cache" \
	    "$(CURDIR)/docs/conformance.py"

docs:
	$(PYTHON) docs/generate.py

conformance:
	$(PYTHON) docs/conformance.py
	$(PYTHON) -m pytest tests/conformance/test_cuda_on_host.py \
	    tests/conformance/test_cables_on_backends.py tests/conformance/test_benchmark_networks.py

accuracy:
	$(PYTHON) benchmarks/accuracy.py $(ONLY)

accuracy-cost:
	$(PYTHON) benchmarks/cost.py $(ONLY)

bench:
	$(PYTHON) benchmarks/run.py

# The first run has nothing to be held against, and only keeps its times.
regressions:
	$(PYTHON) -m pytest benchmarks/regressions.py -q -o pythonpath=benchmarks \
	    --benchmark-timer=time.process_time --benchmark-storage=.benchmarks \
	    --benchmark-autosave --benchmark-columns=min,median,rounds \
	    $(if $(wildcard .benchmarks/*),--benchmark-compare --benchmark-compare-fail=min:25%)
