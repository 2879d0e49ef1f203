# The short way: `make study` on a fresh machine sets it up, builds, trains the small demonstration and prints its table.
# Everything below calls scripts/ and CMake's presets, which work as well by hand.
JOBS ?= $(shell nproc)
BENCH_ARGS ?=

.PHONY: study test asan tsan soak fuzz golden build lint format bench setup tools clean

study: build
	build/release/absorb run configs/quick.toml

test: tools
	@cmake --preset release >build/configure.log 2>&1 || { cat build/configure.log; exit 1; }
	cmake --build --preset release --parallel $(JOBS)
	ctest --preset release --parallel $(JOBS)

# Address and undefined-behaviour sanitizers over all unit tests: half an hour of building, nine minutes of tests.
asan: tools
	@cmake --preset asan >build/configure.log 2>&1 || { cat build/configure.log; exit 1; }
	cmake --build --preset asan --parallel $(JOBS) --target absorb_tests absorb_command absorb_library
	OMP_NUM_THREADS=1 ctest --preset asan --parallel $(JOBS)

# The thread sanitizer over claims, the crew, the log and interrupts.
tsan: tools
	@cmake --preset release >build/configure.log 2>&1 || { cat build/configure.log; exit 1; }
	cmake --build --preset release --parallel $(JOBS) --target absorb_thread_tests
	TSAN_OPTIONS=halt_on_error=0:exitcode=66:suppressions=tests/tsan.supp OMP_NUM_THREADS=1 build/release/absorb_thread_tests --gtest_brief=1

# Memory over 10,000 steps, a document of 100 MB and a corpus of 1 GB.
soak: build
	scripts/soak

# Fuzzers of everything that reads a user's files, MINUTES each; what they find lies in build/fuzz/found-*.
MINUTES ?= 1
fuzz: tools
	@cmake --preset fuzz >build/configure.log 2>&1 || { cat build/configure.log; exit 1; }
	cmake --build --preset fuzz --parallel $(JOBS)
	scripts/fuzz $(MINUTES) $(JOBS)

# Writes what every command prints anew and shows what changed.
golden: build
	scripts/golden

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
