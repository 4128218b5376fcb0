#!/bin/sh
# in-clone COMMAND: in this folder's clone, which is made from STEMMA_GIT_REMOTE where there is none yet.
set -eu
if [ ! -e .git ]; then
    git clone --quiet "$STEMMA_GIT_REMOTE" .
    # Runs and acts are no branches; every fetch is to bring them too.
    git config --add remote.origin.fetch '+refs/exps/*:refs/exps/*'
    git config --add remote.origin.fetch '+refs/stemma/*:refs/stemma/*'
    git fetch --quiet origin
fi
exec "$@"
