# The same scripts that CI runs.
sandbox *args:
    cargo run --release -p k2hdkc-sandbox -- {{args}}
test *args:
    ./tests/run {{args}}
ci:
    .ci/run
packages:
    packaging/build
bench:
    cargo bench
