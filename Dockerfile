# Groundwire as a small image: built in one stage, run in another.
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --locked --release

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --create-home --home-dir /var/lib/groundwire groundwire
COPY --from=build /src/target/release/groundwire /usr/local/bin/groundwire
USER groundwire
WORKDIR /var/lib/groundwire
ENTRYPOINT ["groundwire"]
CMD ["run", "--config", "/etc/groundwire/groundwire.toml"]
