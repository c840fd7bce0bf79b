FROM busybox
COPY <<x /x
never ends
