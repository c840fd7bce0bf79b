FROM busybox
RUN --mount=type=bind true
