# Two commands do all the set-up: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test slow lint format docs mutants newest gpu

# The stamp is newer than what the environment depends on, or the environment is made again.
.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version)'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: .venv/installed
	$(BIN)/tr2m demo

# Two processes with a thread each; a file's tests stay together, since they share what they make. The longest files come first.
test: .venv/installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder

# Two processes; the longest test first, so that the other process has all the rest.
slow: .venv/installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -m slow -n 2 --dist load --maxschedchunk 1

lint: .venv/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/basedpyright --pythonpath $(BIN)/python

format: .venv/installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# The site in site/: the pages, the README and the docstrings. Nothing is fetched; a broken link fails.
docs: .venv/installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# All that one card can show, in at most eight minutes and without a download: outputs/card/report.md.
gpu: .venv/installed
	$(BIN)/tr2m card device=cuda

# Breaks the code one line at a time, and prints what no test notices; SHARE=0.1 tries a random tenth of the list, and
# PASSED=1 says that make test has just passed.
SHARE := 1
mutants: .venv/installed
	OMP_NUM_THREADS=1 $(BIN)/python tests/mutants/run.py --share $(SHARE) $(PASSED:%=--passed)

# The suite under the newest versions that pyproject.toml admits: an environment that takes from .venv what is newest already,
# prints the rest, and is thrown away. A failure says that a library moved, or that no index could be asked.
SUITE := tests
NEWEST := .venv-newest/bin/python
SITE := -c 'import sysconfig; print(sysconfig.get_path("purelib"))'
newest: .venv/installed
	$(BIN)/python -m venv --clear .venv-newest
	$(BIN)/python $(SITE) > "$$($(NEWEST) $(SITE))/tested.pth"
	$(NEWEST) -m pip install -qq --upgrade --upgrade-strategy eager --editable '.[dev]'
	$(NEWEST) -m pip freeze --exclude-editable | diff constraints.txt - | grep '^>' || echo "nothing newer than constraints.txt"
	OMP_NUM_THREADS=1 $(NEWEST) -m pytest -q -n 2 --dist loadfile $(SUITE)
	rm -r .venv-newest
