FROM busybox
COPY file.txt dir /nowhere
