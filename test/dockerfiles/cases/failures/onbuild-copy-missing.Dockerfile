FROM busybox AS parent
ONBUILD COPY nothing-here /
FROM parent
RUN true
