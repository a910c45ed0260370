#!/usr/bin/env bash
# Compiles the core for macOS, and by the oldest Rust that it promises to be content with. What rustup can't get is left out, and said so.
set -euo pipefail
cd "$(dirname "$0")/.."

patience=120

target=aarch64-apple-darwin
if timeout "$patience" rustup target add "$target" >/dev/null 2>&1; then
    # TLS brings C code of ring's, which wants Apple's compiler.
    RUSTFLAGS="-D warnings" cargo check --quiet --package roundel --features hyper,sim --target "$target"
    echo "the core compiles for $target"
else
    echo "rustup can't get the standard library for $target, so nothing is compiled for macOS"
fi

oldest=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml).0
if timeout "$patience" rustup toolchain install "$oldest" --profile minimal >/dev/null 2>&1; then
    CARGO_TARGET_DIR=target/oldest cargo "+$oldest" check --quiet --package roundel --all-features --all-targets
    echo "the core compiles by Rust $oldest"
else
    echo "rustup can't get Rust $oldest, so nothing is compiled by it"
fi
