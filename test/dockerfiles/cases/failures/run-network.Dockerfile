FROM busybox
RUN --network=nope true
