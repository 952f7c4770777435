# The two commands of the README are `make demo` and `make test`. Both install what is missing,
# say so, and do nothing twice.

CARGO ?= cargo

.PHONY: demo test build build-profiled prometheus check unit fuzz-corpus fuzz docs deny deps test-deps bench bench-deps bench-live rooms instructions flame loss peers floods soak clean

demo: build ## Replay the captures in captures/ and show the table
	target/release/sealwatch replay --quiet captures

test: test-deps check unit fuzz-corpus docs ## Everything that CI runs

build: deps ## The binary, at target/release/sealwatch
	$(CARGO) build --release --locked

build-profiled: deps ## The same, a fifth faster, at target/profiled/release/sealwatch: takes a quarter of an hour, and rustup
	benches/profiled

prometheus: ## Debian's Prometheus, if it is missing; not started
	@./.ci/install prometheus:/usr/bin/prometheus

check: deps
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --all-targets -- -D warnings

unit: deps
	$(CARGO) test --locked

FUZZ = --manifest-path fuzz/Cargo.toml --target-dir target --locked

fuzz-corpus: deps ## Replay what fuzzing found worth keeping; takes no fuzzer, and no nightly
	$(CARGO) fmt --manifest-path fuzz/Cargo.toml --check
	$(CARGO) clippy $(FUZZ) --all-targets -- -D warnings
	$(CARGO) test $(FUZZ)

TARGET ?= pipeline
MINUTES ?= 10
SANITIZER ?= none

fuzz: deps ## Look for more: make fuzz TARGET=decode MINUTES=30; takes nightly and cargo-fuzz
	@mkdir -p fuzz/work/$(TARGET)
	cd fuzz && $(CARGO) +nightly fuzz run --sanitizer $(SANITIZER) $(TARGET) \
		work/$(TARGET) corpus/$(TARGET) -- -max_total_time=$$(($(MINUTES) * 60)) -timeout=30 \
		$$(test ! -e $(TARGET).dict || echo -dict=$(TARGET).dict)

docs: deps
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps --document-private-items

deny: ## Licences, sources and repeated crates, by cargo-deny; advisories too where there is a network
	@command -v cargo-deny >/dev/null || $(CARGO) install --locked cargo-deny
	cargo-deny --offline check bans licenses sources
	cargo-deny check advisories || echo "RustSec's list was not to be had: advisories are not checked"

deps: ## The libpcap headers, which the pcap crate links
	@./.ci/install libpcap-dev:/usr/include/pcap/pcap.h

test-deps: deps ## promtool, which holds the metrics to Prometheus's own rules; what live capture, the service, the page and the files for Grafana are tried with
	@./.ci/python target/python tests/s3/requirements.txt
	@./.ci/install prometheus:/usr/bin/promtool iproute2:/usr/sbin/ip tcpreplay:/usr/bin/tcpreplay \
		curl:/usr/bin/curl openssl:/usr/bin/openssl libcap2-bin:/usr/sbin/setcap \
		systemd:/usr/bin/systemd-analyze procps:/usr/sbin/sysctl chromium:/usr/bin/chromium
	@command -v npm >/dev/null || ./.ci/install nodejs:/usr/bin/node npm:/usr/bin/npm
	@./.ci/npm tests/browser target/browser
	@./.ci/npm tests/grafana target/grafana

loss: deps peers ## How much of what is whole in lossy captures is reported, here and elsewhere; a table
	$(CARGO) bench --locked --bench loss

floods: deps ## What floods take of memory, and whether honest clients beside them count; a table
	$(CARGO) bench --locked --bench floods

HOURS ?= 6
soak: deps ## So many hours of traffic with churn and faults: memory stays flat, honest traffic is exact
	SEALWATCH_HOURS=$(HOURS) $(CARGO) bench --locked --bench soak

SIZE ?= 25
ROUNDS ?= 5
KINDS ?=
bench: deps bench-deps ## How fast files are read, beside libpcap alone and other tools; tables and plots (benches/README.md)
	$(CARGO) bench --locked --bench speed -- --size $(SIZE) --rounds $(ROUNDS) $(if $(KINDS),--kinds $(KINDS))

bench-deps: peers ## What `make bench` compares with; flowscope asks for a newer Rust than it needs
	$(CARGO) build --release --locked --ignore-rust-version --manifest-path benches/flowscope/Cargo.toml \
		--target-dir target/flowscope

bench-live: deps ## What live capture drops at rising rates, beside tcpdump; needs root
	@./.ci/install iproute2:/usr/sbin/ip tcpreplay:/usr/bin/tcpreplay tcpdump:/usr/bin/tcpdump \
		curl:/usr/bin/curl procps:/usr/sbin/sysctl
	$(CARGO) bench --locked --bench speed -- live

rooms: deps ## What each room takes by itself, by criterion
	$(CARGO) bench --locked --bench rooms

instructions: deps ## How many instructions a packet takes, by valgrind: the figure for busy machines
	@./.ci/install valgrind:/usr/bin/valgrind
	$(CARGO) bench --locked --bench speed -- instructions

flame: deps ## Flame graphs of what reading takes, in benches/plots; by perf and inferno
	@./.ci/install linux-perf:/usr/bin/perf
	@command -v inferno-flamegraph >/dev/null || $(CARGO) install inferno --locked
	benches/flame

peers: ## What sealwatch is compared with
	@./.ci/install tshark:/usr/bin/tshark tcpflow:/usr/bin/tcpflow httpry:/usr/sbin/httpry

clean:
	$(CARGO) clean
