#!/usr/bin/env bash
# restore.sh FOLDER: what backup.sh saved, into an empty Git remote, three empty databases and an empty bucket.
# Stop the servers and workers first. A database that is not empty is refused and left as it is.
set -euo pipefail
. "$(dirname "$0")/at-database.sh"
from=${1:?restore.sh FOLDER, which backup.sh made}

restore() { # NAME URL
    at_database "$2" pg_restore --single-transaction --exit-on-error --no-owner "$from/$1.dump"
}

if [ -n "${STEMMA_BUCKET:-}" ]; then
    aws s3 sync --only-show-errors ${AWS_ENDPOINT_URL:+--endpoint-url "$AWS_ENDPOINT_URL"} "$from/bucket" "s3://$STEMMA_BUCKET"
fi
git -C "$from/git" push --quiet --mirror "$STEMMA_GIT_REMOTE"
restore prefect "$PREFECT_API_DATABASE_CONNECTION_URL"
restore mlflow "$MLFLOW_BACKEND_STORE_URI"
restore labels "$STEMMA_LABEL_STORE"
