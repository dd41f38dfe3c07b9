# Everything that is done with this project. `just` alone lists it.

set shell := ["bash", "-euo", "pipefail", "-c"]

packages_build := "build-essential pkg-config libxcb1-dev libxcb-shm0-dev libxcb-randr0-dev libxkbcommon-dev"
packages_desktop := "xvfb openbox xterm xdotool xclip x11-xserver-utils x11-utils x11-apps imagemagick libxkbcommon-x11-0 libx11-xcb1 libxcursor1 libxi6 libxtst6 fonts-dejavu-core featherpad iproute2 nftables miniupnpd nginx-light openssl procps python3"
packages_bench := "tigervnc-scraping-server tigervnc-standalone-server tigervnc-viewer x11vnc ffmpeg coturn openssh-server openssh-client"

[private]
default:
    @{{ quote(just_executable()) }} --list --unsorted --justfile {{ quote(justfile()) }}

# Install what a bare Debian machine lacks (nothing when all is there)
[group('start')]
setup: (apt packages_build packages_desktop)
    #!/usr/bin/env bash
    set -euo pipefail
    if ! command -v cargo >/dev/null; then
        echo "Rust is missing: install it from https://rustup.rs, then run this again." >&2
        exit 1
    fi

# Build the program: target/debug/rs
[group('start')]
build:
    cargo build

# Show a whole session, step by step, and leave its picture behind
[group('start')]
demo: setup
    cargo build --bin rs --example demo
    cargo run --quiet --example demo

# Everything that must hold before a change is shared; the tests' summary comes last
[group('check')]
test: setup check nextest
    cargo test --doc --quiet
    cargo nextest run

# Every kind of NAT against every other, in network namespaces (as root; some minutes): prints the table of docs/NETWORK.md
[group('check')]
netns: setup
    cargo test --test netns -- --ignored --nocapture

# Feed TARGET (decoder, pictures, transform, messages, records) with mutations of real streams for SECONDS; installs cargo-fuzz and needs Rust nightly
[group('check')]
fuzz TARGET SECONDS="600":
    command -v cargo-fuzz >/dev/null || cargo install --locked cargo-fuzz
    cd fuzz && cargo +nightly run --quiet --release --example seeds
    # Without a sanitizer: there is no unsafe code in what is fuzzed. Sums that wrap are errors.
    cd fuzz && cargo +nightly fuzz run -s none {{ quote(TARGET) }} -- -max_total_time={{ quote(SECONDS) }} -rss_limit_mb=1024 -max_len=20000

# Format, lints and documentation: no warning is left
[group('check')]
check:
    cargo fmt --check
    cargo clippy --quiet --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --quiet --no-deps

# Format the sources
[group('check')]
fmt:
    cargo fmt

# What the build server runs
[group('check')]
ci:
    .ci/run

# What needs no recordings: the codec's stages, then a key's way to the pixel beside TigerVNC and x11vnc (installs both)
[group('measure')]
bench: setup bench-setup
    cargo bench --bench codec
    cargo bench --bench latency -- run --plot docs/latency.svg

# Install what the benchmarks compare with: TigerVNC, x11vnc, ffmpeg and coturn
[group('measure')]
bench-setup: (apt packages_bench)

# The codec by stages, then over the recordings in CLIPS: bytes, times, exactness (see docs/BENCHMARKS.md)
[group('measure')]
bench-codec CLIPS SIZE="1280x800" *OPTIONS:
    cargo bench --quiet --bench codec
    cargo bench --quiet --bench clip -- {{ quote(CLIPS) }} {{ quote(SIZE) }} {{ OPTIONS }}

# Code one recording and print one JSON line
[group('measure')]
bench-clip FILE SIZE="1280x800" *OPTIONS:
    cargo bench --quiet --bench clip -- {{ quote(FILE) }} {{ quote(SIZE) }} {{ OPTIONS }}

# The recordings in CLIPS by rs, TigerVNC, x11vnc and ffmpeg's encoders, two minutes each; draws docs/bytes.svg
[group('measure')]
bench-peers CLIPS SIZE="1280x800" *OPTIONS:
    cargo bench --quiet --bench peers -- {{ quote(CLIPS) }} {{ quote(SIZE) }} --plot docs/bytes.svg {{ OPTIONS }}

# Key to pixel, pictures a second, idle CPU and first picture of the SYSTEMS (floor, rs, tigervnc, x11vnc; all when none is named)
[group('measure')]
bench-latency *SYSTEMS:
    cargo bench --quiet --bench latency -- run --plot docs/latency.svg {{ SYSTEMS }}

# What the network does and costs, a quarter of an hour; or the flows of SYSTEMS (quic, ours, tcp, kernel, cubic), or one `--part` (see docs/NETWORK.md); as root
[group('measure')]
bench-net *SYSTEMS: setup bench-setup
    cargo bench --bench net -- run {{ SYSTEMS }}

# Install the test runner, where it is missing
[private]
nextest:
    command -v cargo-nextest >/dev/null || cargo install --locked cargo-nextest

# Install Debian packages, where they are missing
[private]
apt +packages:
    #!/usr/bin/env bash
    set -euo pipefail
    missing=()
    for package in {{ packages }}; do
        [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || exit 0
    if ! command -v apt-get >/dev/null; then
        echo "This is no Debian: install what these packages hold, then run this again: ${missing[*]}" >&2
        exit 1
    fi
    root=()
    [ "$(id -u)" = 0 ] || root=(sudo)
    "${root[@]}" apt-get update -qq
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
