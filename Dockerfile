# syntax=docker/dockerfile:1
# What runs is JavaScript alone, so one build on the builder's own platform serves every other:
#   docker buildx build --platform linux/amd64,linux/arm64 --build-arg VERSION=1.2.3 -t ghcr.io/tunnelctl/tunnelctl:1.2.3 .
FROM --platform=$BUILDPLATFORM node:24-bookworm-slim AS build
WORKDIR /build
COPY package.json package-lock.json ./
# esbuild brings its binary as a package; its script only checks it.
RUN npm ci --ignore-scripts
COPY . .
# The image has what the package has, which the tests install and run.
RUN npm pack --silent && mkdir /app && tar -xzf tunnelctl-*.tgz -C /app --strip-components=1

FROM gcr.io/distroless/nodejs24-debian13:nonroot
ARG VERSION=0.0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="tunnelctl" \
      org.opencontainers.image.description="A tunnel to services in a Kubernetes cluster: gateway, agent, connect" \
      org.opencontainers.image.source="https://github.com/tunnelctl/tunnelctl" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
ENV NODE_ENV=production
COPY --from=build /app /app
USER 65532:65532
# The tunnel of a gateway, and the probes and metrics of both.
EXPOSE 8080 9090
ENTRYPOINT ["/nodejs/bin/node", "/app/bin/tunnelctl.js"]
CMD ["--help"]
