FROM busybox
COPY file.txt /etc/passwd/x
