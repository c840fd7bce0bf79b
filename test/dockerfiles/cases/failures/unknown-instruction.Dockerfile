FROM busybox
FORM x
RUN true
