FROM busybox
COPY dir /etc/passwd
