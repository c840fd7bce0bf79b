FROM busybox AS first
COPY --from=last /made /copied
FROM busybox AS last
RUN echo made > /made
FROM first
