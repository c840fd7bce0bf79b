FROM busy$box:$$
