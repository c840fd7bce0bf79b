FROM busybox AS a
COPY --from=busybox /no/such/file /
