FROM busybox
ENV A=${x:?not set}
