#!/bin/sh
# in-clone COMMAND: in this folder's clone, which is made from STEMMA_GIT_REMOTE where there is none yet.
set -eu
if [ ! -e .git ]; then
    git clone --quiet "$STEMMA_GIT_REMOTE" .
    # Runs and acts are no branches. Not with every fetch: it could undo an act that the remote has not heard of yet.
    git fetch --quiet origin 'refs/exps/*:refs/exps/*' 'refs/stemma/*:refs/stemma/*'
fi
exec "$@"
