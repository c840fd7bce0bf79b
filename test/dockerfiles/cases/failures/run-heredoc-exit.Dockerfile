FROM busybox
RUN <<x
echo heredoc
exit 4
x
