FROM busybox
COPY --chmod=99x file.txt /
