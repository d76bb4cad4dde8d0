# syntax=docker/dockerfile:1

# The same version that rust-toolchain.toml pins; .ci/check-scripts.sh holds the two together.
ARG RUST=1.95.0

FROM rust:${RUST}-bookworm AS build
ARG RUST
# The image has this toolchain: rust-toolchain.toml would make rustup fetch formatter and lints as well.
ENV RUSTUP_TOOLCHAIN=${RUST}
RUN apt-get update \
 && apt-get install --yes --no-install-recommends cmake \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
# The caches belong to the builder, not to a layer: the binary has to be copied out of them in the same step. What names
# lines of the source is three quarters of it and stays behind; backtraces still name functions. Who passes the binary on
# passes on the notices of everything in it: ours, and those of each crate, packed.
RUN --mount=type=cache,id=yett-registry,target=/usr/local/cargo/registry \
    --mount=type=cache,id=yett-target,target=/src/target \
    cargo build --locked --release -p yett --bin yett \
 && install -d /out/usr/local/bin \
 && strip --strip-debug -o /out/usr/local/bin/yett target/release/yett \
 && install -d /out/usr/share/doc/yett \
 && install -m 0644 LICENSE waf-rules/NOTICE /out/usr/share/doc/yett \
 && cargo tree --locked -p yett -e normal --prefix none --format '{p}' \
    | awk '{ sub(/^v/, "", $2); print $1 "-" $2 }' | sort -u > /tmp/crates \
 && cd "${CARGO_HOME}"/registry/src/* \
 && xargs -I{} find {} -maxdepth 1 -type f \( -iname 'licen*' -o -iname 'copying*' -o -iname 'notice*' \) < /tmp/crates 2> /dev/null \
    | sort | tar --create --xz --files-from - --file /out/usr/share/doc/yett/crates.tar.xz

# C library, libgcc and certificate authorities; no shell and no package manager.
FROM gcr.io/distroless/cc-debian12:nonroot
LABEL org.opencontainers.image.title="yett" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.description="Edge API gateway: every request is verified, limited, inspected and explained" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.base.name="gcr.io/distroless/cc-debian12:nonroot"
COPY --from=build /out/ /
# A number, so that Kubernetes can see that it is not root (runAsNonRoot).
USER 65532:65532
# Nothing is written: configuration, certificates and secrets are mounted, logs go to stdout and stderr.
EXPOSE 8080 8443
STOPSIGNAL SIGTERM
# For a configuration with `admin: { bind: 127.0.0.1:9901, ... }`. Kubernetes does not look at it.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["/usr/local/bin/yett", "health", "--admin", "127.0.0.1:9901"]
ENTRYPOINT ["/usr/local/bin/yett"]
CMD ["run", "--config", "/etc/yett"]
