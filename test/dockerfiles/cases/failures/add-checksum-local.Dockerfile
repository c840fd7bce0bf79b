FROM busybox
ADD --checksum=sha256:12 file.txt /
