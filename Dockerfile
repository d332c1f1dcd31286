# One program, linked against glibc and nothing else: certificates, time zones, SQLite, pages and
# migrations are compiled in.
#
# Both stages name the same Debian: what was linked against a newer glibc does not start on an
# older one.
ARG DEBIAN=trixie

FROM rust:1.95-slim-${DEBIAN} AS build
WORKDIR /build

# First the libraries, around empty crates of ours: a layer that is built anew only when a
# manifest or the lock file changes. Our crates are cleaned away again, since cargo trusts the
# times of files and would take the empty ones for newer than the sources of a checkout.
COPY Cargo.toml Cargo.lock ./
COPY migrations/Cargo.toml migrations/
RUN mkdir src migrations/src \
    && touch src/lib.rs migrations/src/lib.rs \
    && echo 'fn main() {}' > src/main.rs \
    && cargo build --release --locked --bin ml-connector \
    && cargo clean --release -p ml-connector -p migrations \
    && rm -r src migrations/src

# Then ours. Templates and static files are read by the compiler.
COPY migrations migrations
COPY src src
COPY static static
COPY templates templates
RUN cargo build --release --locked --bin ml-connector

FROM debian:${DEBIAN}-slim
# A number, not a name, so that an orchestrator can see that it is not root. A new volume takes
# over the owner and mode that its folder has here.
RUN install --directory --mode=0700 --owner=10001 --group=10001 /data
COPY --from=build /build/target/release/ml-connector /usr/local/bin/

# Inside a container 127.0.0.1 can be reached by nobody else.
ENV BIND=0.0.0.0:8080 \
    DATABASE_URL=sqlite:///data/ml-connector.db
EXPOSE 8080
# Also without -v the database outlives its container.
VOLUME /data
# Relative names in settings end up in the volume too.
WORKDIR /data
USER 10001:10001

# Alive, not ready: while a database is away a new process would help nobody. bash opens the
# connection by itself, so the image needs no curl. Where no port is served (`work`, `migrate`)
# switch this off.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD ["bash", "-c", "exec 3<>\"/dev/tcp/127.0.0.1/${PORT:-8080}\" && printf 'GET /healthz HTTP/1.0\\r\\n\\r\\n' >&3 && read -r _ status _ <&3 && [ \"$status\" = 200 ]"]

# The first breath of the shutdown: intake stops, running jobs have 20 s to finish. Docker kills
# after 10 s unless it is told to wait: `docker run --stop-timeout 40`.
STOPSIGNAL SIGTERM
ENTRYPOINT ["ml-connector"]
CMD ["serve"]
