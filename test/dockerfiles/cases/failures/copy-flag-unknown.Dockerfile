FROM busybox
COPY --chwon=1 file.txt /
