FROM busybox
COPY ../outside /
