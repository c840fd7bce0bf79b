FROM busybox AS unused
COPY --from=unused /a /b
FROM busybox
