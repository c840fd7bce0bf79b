FROM busybox
RUN --mount=type=bind,source=missing,target=/x true
