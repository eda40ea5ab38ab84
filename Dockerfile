# One image for every role: docker build -t gantry .
FROM node:20-bookworm-slim AS build
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY . .
RUN npm run build && npm prune --omit=dev --no-audit --no-fund

FROM node:20-bookworm-slim
# what operations of blueprints expect to find besides sh
RUN apt-get update \
  && apt-get install -y --no-install-recommends bash ca-certificates curl openssh-client python3 \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/gantry
COPY --from=build /build/package.json ./
COPY --from=build /build/node_modules ./node_modules
COPY --from=build /build/resources ./resources
COPY --from=build /build/bin ./bin
COPY --from=build /build/dist ./dist
RUN ln -s /opt/gantry/bin/gantry /usr/local/bin/gantry \
  && install -d -o node -g node -m 0755 /var/lib/gantry
ENV NODE_ENV=production \
    GANTRY_DATA=/var/lib/gantry \
    GANTRY_HOST=0.0.0.0 \
    GANTRY_METRICS_HOST=0.0.0.0 \
    GANTRY_METRICS_PORT=9464 \
    GANTRY_LOG_FORMAT=json
USER node
VOLUME /var/lib/gantry
EXPOSE 8080 9464
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
  CMD ["curl", "--fail", "--silent", "--output", "/dev/null", "http://127.0.0.1:9464/readyz"]
ENTRYPOINT ["gantry"]
CMD ["serve"]
