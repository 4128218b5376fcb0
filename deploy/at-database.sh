# at_database URL PROGRAM WORD…: PROGRAM of PostgreSQL with an address, which may be SQLAlchemy's: postgresql+asyncpg://…
# The password goes into its environment: every user of the machine sees the words of a command. For backup.sh and restore.sh.
at_database() {
    local url="postgresql:${1#*:}" program=$2 password=${PGPASSWORD:-}
    shift 2
    if [[ $url =~ ^(postgresql://[^:@/]*):([^@/]*)(@.*)$ ]]; then
        url=${BASH_REMATCH[1]}${BASH_REMATCH[3]}
        password=${BASH_REMATCH[2]//\\/\\\\}
        printf -v password %b "${password//%/\\x}" # in an address, signs are written as %40
    fi
    PGPASSWORD=$password "$program" --dbname "$url" "$@"
}
