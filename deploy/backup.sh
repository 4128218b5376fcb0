#!/usr/bin/env bash
# backup.sh FOLDER: the Git remote, the three databases and the bucket, as of now, in a new folder.
# The environment says where they are, as deploy/.env.example does. restore.sh puts them back.
set -euo pipefail
umask 077
. "$(dirname "$0")/at-database.sh"
to=${1:?backup.sh FOLDER, which is not there yet}
mkdir "$to"

dump() { # NAME URL
    at_database "$2" pg_dump --format=custom --no-owner --file "$to/$1.dump"
}

# Git before the bucket: every artifact that the saved refs name is then among the saved bytes (`stemma gc` must not run).
git clone --quiet --mirror "$STEMMA_GIT_REMOTE" "$to/git"
dump prefect "$PREFECT_API_DATABASE_CONNECTION_URL"
dump mlflow "$MLFLOW_BACKEND_STORE_URI"
dump labels "$STEMMA_LABEL_STORE"
if [ -n "${STEMMA_BUCKET:-}" ]; then # empty where the store itself keeps copies (versions, replication)
    aws s3 sync --only-show-errors ${AWS_ENDPOINT_URL:+--endpoint-url "$AWS_ENDPOINT_URL"} "s3://$STEMMA_BUCKET" "$to/bucket"
fi
