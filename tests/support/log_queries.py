"""Queries of CloudWatch Logs Insights that tests translate, and where lines lie on each target."""

from __future__ import annotations

from heavylift.alerts.queries.model import Language, Where

WHERE = {
    Language.INSIGHTS: Where(),
    Language.LOGGING: Where(),
    Language.SQL: Where(table="project.global._Default._AllLogs"),
    Language.KQL: Where(table="AppLogs_CL"),
    Language.LOGQL: Where(selector='{app="serving"}'),
}
QUERIES = {
    "lines": 'fields @timestamp, @message | filter @message like "ERROR" | sort @timestamp desc | limit 20',
    "bins": 'filter level = "ERROR" and status >= 500 | stats count(*) as n by bin(5m), model',
    "top": 'filter level = "ERROR" or status >= 500 | stats count(*) as n by model | sort n desc | limit 3',
    "other": 'filter level != "DEBUG" and latency_ms >= 0 | stats avg(latency_ms) as l by bin(1m)',
    "all": 'filter not (level = "DEBUG") and ispresent(req.id) | stats count(*)',
    "glob": 'parse @message "user=*, method:*, took *ms" as user, method, took | filter took > 10'
    " | stats max(took) as m by method",
    "groups": "parse @message /status=(?<code>\\d+)/ | filter code = 503 | sort @timestamp asc",
    "patterns": 'filter @message like /(?i)timeout|refused/ and @message not like "health"',
    "list": 'filter `x-level` in ["ERROR", "FATAL"] | stats sum(bytes) as b by `x-level`',
    "numbers": "filter status < 500 and not (status < 400)",
    "quotes": 'filter note = "a\\"b\\\\c" or kind like /^[a-z]+\\.py$/',
}
