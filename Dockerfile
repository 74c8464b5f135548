# A static binary in an empty image, run by nobody in particular.
FROM node:20-bookworm-slim AS web
WORKDIR /src
COPY dashboards/web/package.json dashboards/web/package-lock.json dashboards/web/
RUN cd dashboards/web && npm ci --ignore-scripts --no-audit --no-fund
COPY i18n i18n
COPY dashboards/web dashboards/web
RUN cd dashboards/web && npm run build

FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
COPY --from=web /src/dashboards/web/dist dashboards/web/dist
RUN CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o /tianhai ./cmd/tianhai && mkdir /data

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /tianhai /tianhai
COPY --from=build --chown=65532:65532 /data /data
USER 65532:65532
ENV TIANHAI_DATA=/data
VOLUME /data
EXPOSE 8080 1883
ENTRYPOINT ["/tianhai"]
CMD ["serve"]
