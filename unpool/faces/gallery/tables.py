"""The tables of both stores: schema version -> what leads to it from the one before.

Opening an older gallery applies the rest in one transaction.
"""

SQLITE = {
    1: """
        CREATE TABLE setting (key TEXT PRIMARY KEY, value BLOB NOT NULL);
        CREATE TABLE person (
            id TEXT PRIMARY KEY, lookup BLOB NOT NULL UNIQUE, name BLOB NOT NULL,
            template BLOB NOT NULL, enrolled TEXT NOT NULL
        );
        CREATE TABLE picture (
            person TEXT NOT NULL REFERENCES person (id) ON DELETE CASCADE, sha256 TEXT NOT NULL,
            embedding BLOB NOT NULL, quality REAL NOT NULL, PRIMARY KEY (person, sha256)
        );
        CREATE TABLE audit (number INTEGER PRIMARY KEY, time TEXT NOT NULL, event TEXT NOT NULL, subject TEXT NOT NULL);
    """,
}

POSTGRES = {
    1: """
        CREATE EXTENSION IF NOT EXISTS vector;
        CREATE SCHEMA IF NOT EXISTS unpool;
        CREATE TABLE unpool.setting (key TEXT PRIMARY KEY, value TEXT NOT NULL);
        CREATE TABLE unpool.person (
            id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, template vector({dimension}) NOT NULL,
            enrolled TEXT NOT NULL
        );
        CREATE TABLE unpool.picture (
            person TEXT NOT NULL REFERENCES unpool.person (id) ON DELETE CASCADE, sha256 TEXT NOT NULL,
            embedding vector({dimension}) NOT NULL, quality DOUBLE PRECISION NOT NULL, PRIMARY KEY (person, sha256)
        );
        CREATE TABLE unpool.audit (
            number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, time TEXT NOT NULL, event TEXT NOT NULL,
            subject TEXT NOT NULL
        );
    """,
}
