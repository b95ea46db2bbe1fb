"""Tables whose foreign keys change rows by themselves, and changes that make them do so."""

from __future__ import annotations

import random

import pymysql

from tests.support.mysql_writer import Source

FAMILY = (
    "CREATE TABLE p (id int PRIMARY KEY, code varchar(9) UNIQUE)",
    "CREATE TABLE c (p int, n int, v int, PRIMARY KEY (p, n), UNIQUE KEY (v),"
    " CONSTRAINT cp FOREIGN KEY (p) REFERENCES p (id) ON DELETE CASCADE ON UPDATE CASCADE)",
    "CREATE TABLE g (id int PRIMARY KEY, p int, n int,"
    " CONSTRAINT gc FOREIGN KEY (p, n) REFERENCES c (p, n) ON DELETE SET NULL ON UPDATE CASCADE)",
    "CREATE TABLE tree (id int PRIMARY KEY, up int,"
    " CONSTRAINT tt FOREIGN KEY (up) REFERENCES tree (id) ON DELETE CASCADE)",
    "CREATE TABLE named (n int, code varchar(9), KEY (code),"
    " CONSTRAINT nc FOREIGN KEY (code) REFERENCES p (code) ON DELETE SET NULL ON UPDATE CASCADE)",
    "INSERT INTO p SELECT seq, concat('c''', seq) FROM seq_1_to_60",
    "INSERT INTO c SELECT p.seq, n.seq, p.seq * 10 + n.seq FROM seq_1_to_60 p, seq_1_to_3 n",
    "INSERT INTO g SELECT v, p, n FROM c",
    "INSERT INTO tree SELECT seq, nullif(seq div 2, 0) FROM seq_1_to_63",
    "INSERT INTO named SELECT id, code FROM p",
)
FAMILY_TABLES = ("p", "c", "g", "tree", "named")
FAMILY_CHANGES = (
    "DELETE FROM p WHERE id <= 10",
    "UPDATE p SET id = id + 1000 WHERE id BETWEEN 11 AND 15",
    "UPDATE p SET code = concat('new', id) WHERE id BETWEEN 16 AND 20",
    "DELETE FROM tree WHERE id IN (3, 8)",
    "INSERT INTO p VALUES (1, 'again')",
    "INSERT INTO c VALUES (1, 1, 7)",
    "BEGIN",
    "DELETE FROM p WHERE id = 1",
    "INSERT INTO p VALUES (1, 'third')",
    "INSERT INTO c VALUES (1, 2, 7)",
    "UPDATE c SET p = 30, n = 9 WHERE p = 1",
    "DELETE FROM p WHERE id = 1",
    "COMMIT",
    "DELETE FROM c WHERE p = 40",
)


def change_at_random(source: Source, chance: random.Random, transactions: int) -> None:
    """Change rows of the family, some of them many times; what the server refuses is left."""
    with source.session() as session:
        session.autocommit(False)
        for _ in range(transactions):
            with session.cursor() as cursor:
                for _ in range(chance.randint(1, 4)):
                    try:
                        cursor.execute(_statement(chance))
                    except (pymysql.err.IntegrityError, pymysql.err.OperationalError):
                        continue
            (session.rollback if chance.random() < 0.1 else session.commit)()


def _statement(chance: random.Random) -> str:
    def number(below: int) -> int:
        return chance.randrange(1, below)

    parent, other = number(12), number(12)
    return chance.choice(
        [
            f"DELETE FROM p WHERE id = {parent}",
            f"INSERT INTO p VALUES ({parent}, 'r{number(40)}')",
            f"UPDATE p SET id = {other} WHERE id = {parent}",
            f"UPDATE p SET code = 'r{number(40)}' WHERE id = {parent}",
            f"INSERT INTO c VALUES ({parent}, {number(4)}, {number(900)})",
            f"INSERT INTO c VALUES ({parent}, {number(4)}, {number(900)})",
            f"UPDATE c SET p = {other} WHERE p = {parent} AND n = {number(4)}",
            f"UPDATE c SET n = {number(9)} WHERE p = {parent} AND n = {number(4)}",
            f"DELETE FROM c WHERE p = {parent} AND n = {number(4)}",
            f"INSERT INTO g SELECT {number(2000)}, p, n FROM c WHERE p = {parent} LIMIT 1",
            f"INSERT INTO named SELECT {number(99)}, code FROM p WHERE id = {parent}",
            f"DELETE FROM named WHERE n = {number(99)} LIMIT 1",
            f"DELETE FROM tree WHERE id = {number(40)}",
            f"INSERT INTO tree SELECT {number(80)}, max(id) FROM tree WHERE id < {number(60)}",
        ]
    )
