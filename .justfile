# What people type. Each recipe is one plain command, so nobody needs `just` itself.

# list the recipes
default:
    @just --list

# run the server with what the environment says
dev:
    cargo run -- serve

# look around on throw-away data
demo:
    cargo run --release -- demo

# run the tests; arguments name some of them
test *args:
    ./tests/run {{args}}

# what clippy and rustfmt say
lint:
    cargo clippy --workspace --all-targets -- -D warnings

# everything that must pass before a change lands
ci:
    ./.ci/run

# look through changed snapshots
snap:
    cargo insta review

# break the real service under load; arguments name scenarios, `--list` shows them
chaos *args:
    ./tests/chaos/run {{args}}
