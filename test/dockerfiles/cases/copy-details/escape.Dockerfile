# escape=`
FROM busybox
COPY <<HERE /here
a`b \$HOME `$HOME ``
end`
HERE
COPY a.txt `
  /a
