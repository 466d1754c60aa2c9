# A thin front to Meson. Run `make help` for what it offers.
#
#   CC=clang      compiler
#   BUILD=DIR     build directory (default build, or build-asan with SANITIZE=1)
#   SANITIZE=1    AddressSanitizer and UndefinedBehaviorSanitizer
#   JOBS=N        parallel jobs

SANITIZE ?= 0
ifeq ($(SANITIZE),1)
BUILD ?= build-asan
MESON_OPTIONS += -Db_sanitize=address,undefined -Db_lundef=false
else
BUILD ?= build
endif
BUILD := $(abspath $(BUILD))
JOBS ?= $(shell nproc)

ifneq ($(origin CC),default)
export CC
endif
export CYGNET_BUILD = $(BUILD)

.PHONY: build help deps demo check conformance bench install clean

build: $(BUILD)/build.ninja
	@ninja -C $(BUILD) -j $(JOBS)

$(BUILD)/build.ninja:
	@command -v meson >/dev/null || { echo "make: meson is missing: run 'sudo make deps'" >&2; exit 1; }
	@meson setup $(BUILD) $(MESON_OPTIONS)

help:
	@echo "make               build into $(BUILD)"
	@echo "make deps          install missing Debian packages (root)"
	@echo "make demo          build, then show a first opportunistic tunnel in a lab (root)"
	@echo "make check         build with gcc, clang and sanitizers, run every test (root)"
	@echo "make conformance   which requirement has code, which has a test"
	@echo "make bench         throughput and latency against clear traffic (root)"
	@echo "make install       install through Meson (DESTDIR is honoured)"
	@echo "make clean         remove the build directories"

deps:
	@tools/deps

demo: deps
	@$(MAKE) --no-print-directory build
	@lab/demo

check: deps
	@tools/check

conformance:
	@tools/conformance

bench: deps
	@$(MAKE) --no-print-directory build
	@bench/run

install: build
	@meson install -C $(BUILD) --no-rebuild

clean:
	@rm -rf $(BUILD) build build-clang build-asan
