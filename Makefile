# The short way: `make study` on a fresh machine sets it up, builds, trains the small demonstration and prints its table.
# Everything below calls scripts/ and CMake's presets, which work as well by hand.
JOBS ?= $(shell nproc)
BENCH_ARGS ?=

.PHONY: study test build lint format bench setup tools clean

study: build
	build/release/absorb run configs/quick.toml

test: tools
	@cmake --preset release >build/configure.log 2>&1 || { cat build/configure.log; exit 1; }
	cmake --build --preset release --parallel $(JOBS)
	ctest --preset release --parallel $(JOBS)

build: setup
	@cmake --preset release >build/configure.log 2>&1 || { cat build/configure.log; exit 1; }
	cmake --build --preset release --parallel $(JOBS) --target absorb_command

lint: tools
	scripts/lint

format: tools
	scripts/lint --files | xargs clang-format -i

# make bench JSON=out.json BENCH_ARGS=--benchmark_filter=step
bench: setup
	@cmake --preset release >build/configure.log 2>&1 || { cat build/configure.log; exit 1; }
	cmake --build --preset release --parallel $(JOBS) --target absorb_bench
	build/release/absorb_bench $(if $(JSON),--benchmark_out=$(JSON) --benchmark_out_format=json) $(BENCH_ARGS)

setup:
	@mkdir -p build
	@scripts/setup

tools:
	@mkdir -p build
	@scripts/setup --tools

clean:
	rm -rf build
