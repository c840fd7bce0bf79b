FROM no-such-base AS b
FROM b AS a
