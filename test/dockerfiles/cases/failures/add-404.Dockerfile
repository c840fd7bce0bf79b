FROM busybox
ADD http://10.77.0.2:8000/no-such-file /
