#!/bin/sh
set -e
for template in /etc/nginx/templates/*.template; do
  name=$(basename "$template" .template)
  sed -e "s|\${UPSTREAM}|$UPSTREAM|g" -e "s|\${NGINX_HOST}|$NGINX_HOST|g" "$template" > "/etc/nginx/conf.d/$name"
done
