FROM --platform=linux/what/is/this busybox
