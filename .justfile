# What people type. Each recipe is one plain command, so nobody needs `just` itself.

# list the recipes
default:
    @just --list

# run the server with what the environment says
dev:
    cargo run -- serve

# look around on throw-away data
demo *args:
    cargo run --release -- demo {{args}}

# run the tests on both databases; arguments name some of them
test *args:
    ./tests/run {{args}}

# what clippy and rustfmt say
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings

# everything that must pass before a change lands
ci:
    ./.ci/run

# take today's snapshots for the right ones; `git diff` shows what changed
snap *args:
    INSTA_UPDATE=always cargo test {{args}}

# take pictures of the sample pages; a word after the folder takes only those with it in their name
pictures *args:
    cargo run --example pictures -- {{args}}

# break the real service under load; arguments name scenarios, `--list` shows them
chaos *args:
    ./tests/chaos/run {{args}}
