echo "seed $2" > "$PGDATA/seed"
