"""Cutting what mariadb-dump and mysqldump write into objects, and tables into what comes first and later."""

from __future__ import annotations

from heavylift.tables.model import TableName
from heavylift.tables.mysql.twin.dump import parts_of, split

SCRIPT = r"""/*M!999999\- enable the sandbox mode */

/*!40101 SET NAMES utf8mb4 */;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `a` (
  `n` int(11) NOT NULL,
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `s` varchar(10) DEFAULT ';' COMMENT 'KEY `x` (`y`);',
  `v` int(11) GENERATED ALWAYS AS (`n` + 1) VIRTUAL,
  PRIMARY KEY (`n`),
  UNIQUE KEY `u` (`s`),
  KEY `id` (`id`),
  KEY `second` (`id`,`n`),
  FULLTEXT KEY `ft` (`s`),
  CONSTRAINT `up` FOREIGN KEY (`n`) REFERENCES `b` (`id`) ON DELETE CASCADE,
  CONSTRAINT `positive` CHECK (`n` > 0)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4
 PARTITION BY KEY (`n`)
PARTITIONS 2;
/*!40101 SET character_set_client = @saved_cs_client */;
/*!50001 CREATE VIEW `v` AS SELECT
 NULL AS `id` */;
/*!50003 SET sql_mode              = 'ANSI' */ ;
DELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=`me`@`%`*/ /*!50003 trigger dd.tr before insert on dd.b for each row begin
 set new.a = 1; set new.b = ';';
end */;;
DELIMITER ;
/*!50003 SET sql_mode              = @saved_sql_mode */ ;
DELIMITER ;;
CREATE DEFINER=`a``b`@`%` PROCEDURE `p`()
begin select 1; select 2; end ;;
/*!50106 CREATE*/ /*!50117 DEFINER=`me`@`%`*/ /*!50106 EVENT `e` ON SCHEDULE EVERY 1 DAY STARTS '2026-01-01'
 ON COMPLETION NOT PRESERVE ENABLE DO SELECT 'ON COMPLETION PRESERVE ENABLE' */ ;;
DELIMITER ;
/*!50001 CREATE ALGORITHM=UNDEFINED */
/*!50013 DEFINER=`me`@`%` SQL SECURITY DEFINER */
/*!50001 VIEW `v` AS select 1 AS `id` */;
CREATE SEQUENCE `sq` start with 1 minvalue 1 ENGINE=InnoDB;
"""
ENTRIES = {str(entry): entry for entry in split(SCRIPT, "dd")}


def test_each_object_is_found_once_and_views_by_their_last_statement() -> None:
    assert set(ENTRIES) == {
        "table dd.a", "view dd.v", "trigger dd.tr", "procedure dd.p", "event dd.e", "sequence dd.sq",
    }  # fmt: skip
    assert "select 1 AS `id`" in ENTRIES["view dd.v"].statement


def test_settings_hold_until_they_are_put_back() -> None:
    assert dict(ENTRIES["trigger dd.tr"].settings)["sql_mode"] == "'ANSI'"
    assert "sql_mode" not in dict(ENTRIES["procedure dd.p"].settings)
    assert ENTRIES["table dd.a"].settings == ()


def test_bodies_keep_their_semicolons() -> None:
    assert ENTRIES["trigger dd.tr"].statement.endswith("set new.b = ';';\nend */")
    assert ENTRIES["procedure dd.p"].statement.endswith("begin select 1; select 2; end")


def test_definers_are_told_and_can_be_left_out() -> None:
    assert ENTRIES["procedure dd.p"].definer == "`a``b`@`%`"
    assert ENTRIES["procedure dd.p"].anonymous.startswith("CREATE  PROCEDURE `p`()")
    assert "DEFINER=" not in ENTRIES["view dd.v"].anonymous


def test_events_are_made_asleep() -> None:
    assert "NOT PRESERVE DISABLE DO SELECT 'ON COMPLETION PRESERVE ENABLE'" in ENTRIES["event dd.e"].asleep


def test_a_table_is_cut_in_what_comes_first_and_what_waits() -> None:
    parts = parts_of(ENTRIES["table dd.a"], "id")
    assert parts.bare.startswith("CREATE TABLE `dd`.`a` (\n  `n` int(11) NOT NULL,\n")
    assert parts.bare.endswith(
        "  PRIMARY KEY (`n`),\n  KEY `id` (`id`),\n  CONSTRAINT `positive` CHECK (`n` > 0)\n"
        ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4\n PARTITION BY KEY (`n`)\nPARTITIONS 2"
    )
    assert "COMMENT 'KEY `x` (`y`);'" in parts.bare
    assert parts.keys == ("UNIQUE KEY `u` (`s`)", "KEY `second` (`id`,`n`)", "FULLTEXT KEY `ft` (`s`)")
    assert list(parts.foreign) == ["up"]
    assert ENTRIES["table dd.a"].name == TableName("dd", "a")
