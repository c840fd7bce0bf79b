#!/bin/sh
set -e
for template in /etc/nginx/templates/*.template; do
  name=$(basename "$template" .template)
  envsubst '$NGINX_PORT $NGINX_HOST' < "$template" > "/etc/nginx/conf.d/$name"
done
exec "$@"
