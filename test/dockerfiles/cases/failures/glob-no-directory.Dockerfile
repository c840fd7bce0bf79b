FROM busybox
COPY none/* /x/
