// Reads [[language, text], …] as JSON from standard input, and tells what each vendor's parser says of each.
"use strict";

const fs = require("fs");
const path = require("path");
const vm = require("vm");
const { parser } = require("@grafana/lezer-logql");

const home = path.join(__dirname, "node_modules", "@kusto", "language-service-next");
for (const name of ["bridge.min.js", "Kusto.Language.Bridge.min.js"]) {
  vm.runInThisContext(fs.readFileSync(path.join(home, name), "utf8"), { filename: name });
}

function logql(text) {
  const found = [];
  parser.parse(text).iterate({
    enter: (node) => {
      if (node.type.isError) found.push(`${node.from}: ${text.slice(node.from, node.to + 20)}`);
    },
  });
  return found;
}

// Names, types and functions are checked, too: the table is declared before the query.
function kql(text) {
  const table = /^\s*([A-Za-z_]\w*)/.exec(text)[1];
  const declared = `let ${table} = datatable(TimeGenerated: datetime, RawData: string)[];\n`;
  const all = globalThis.Kusto.Language.KustoCode.ParseAndAnalyze(declared + text).GetDiagnostics();
  const found = [];
  for (let each = 0; each < all.Count; each += 1) found.push(all.getItem(each).Message);
  return found;
}

const asked = JSON.parse(fs.readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(asked.map(([language, text]) => (language === "kql" ? kql : logql)(text))));
