FROM busybox AS 1a
