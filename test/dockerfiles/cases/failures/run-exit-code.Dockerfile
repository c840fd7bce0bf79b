FROM busybox
RUN echo before
RUN echo said && exit 3
RUN echo after
