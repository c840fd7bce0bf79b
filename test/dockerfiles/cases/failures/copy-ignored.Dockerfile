FROM busybox
COPY ignored.txt /
