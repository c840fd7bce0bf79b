FROM busybox

RUN echo one && \
    echo two && \
    no-such-program --flag && \
    echo three

CMD x
