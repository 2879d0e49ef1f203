#include "studies/plan/reference.h"

#include <algorithm>

#include "compensation/measures/measures.h"
#include "core/error.h"
#include "studies/plan/run_settings.h"
#include "studies/study/study.h"
#include "training/data/source.h"

namespace absorb {
namespace {

template <class S>
std::vector<FieldDoc> documented() {
  S value;
  return document_fields([&value](Fields& list) { fields(list, value); });
}

struct Section {
  std::string table, about;
  std::vector<FieldDoc> rows;
};

std::vector<Section> sections() {
  return {
      {"study", "The study itself.", documented<StudySettings>()},
      {"model", "The transformer.", documented<ModelSettings>()},
      {"routing",
       "What every arm shares. `[routing.attention]` and `[routing.moe]` take the same keys and are laid on "
       "last, for that kind of router alone.",
       documented<RoutingSettings>()},
      {"data",
       "The text, token files or synthetic task. Each type has keys of its own: Data sets, below.",
       {{"type", "string", join(data_sources().names()), "\"text\"",
         "Text, token files, or a synthetic task with a known answer (recall: attention, rule: experts)."}}},
      {"training", "The optimiser and its rhythm.", documented<TrainingSettings>()},
      {"compensation", "What `absorb compensate` measures on finished runs; it changes none of them.",
       documented<CompensationSettings>()},
      {"plan", "Whether seeds are trained until the verdicts are there.", documented<StagesSpec>()},
      {"[contrast]", "One table for each planned comparison, written [[contrast]].", documented<ContrastSpec>()},
      {"[claim]", "One table for each sentence that a row of the analysis decides, written [[claim]].",
       documented<ClaimSpec>()},
  };
}

template <class R>
std::string registry_text(const R& registry) {
  std::string out;
  for (const std::string& name : registry.names()) {
    out += fmt::format("{:<14}{}\n", name, registry.doc(name));
    for (const FieldDoc& row : registry.fields_of(name))
      out += fmt::format("{:<14}  {} = {}  ({}{}) {}\n", "", row.key, row.initial, row.type,
                         row.range.empty() ? "" : ": " + row.range, row.doc);
  }
  return out;
}

std::string measures_text() {
  std::string out;
  for (const std::string& name : measure_names()) {
    const MeasureInfo& info = measure_named(name).edges[0];
    out += fmt::format("{:<14}{}{}\n", name, info.title.empty() ? name : info.title,
                       info.unit == "1" || info.unit.empty() ? "" : ", in " + info.unit);
  }
  return out;
}

std::string markdown_rows(const std::vector<FieldDoc>& rows) {
  std::string out = "| key | type | legal | default | what it does |\n|---|---|---|---|---|\n";
  for (const FieldDoc& row : rows)
    out += fmt::format("| `{}` | {} | {} | {} | {} |\n", row.key, row.type, row.range,
                       row.initial.empty() ? "" : "`" + row.initial + "`", row.doc);
  return out + '\n';
}

template <class R>
std::string registry_markdown(const std::string& title, const R& registry) {
  std::string out = fmt::format("## {}\n\n", title);
  for (const std::string& name : registry.names()) {
    out += fmt::format("### `{}`\n\n{}.\n\n", name, registry.doc(name));
    if (const auto rows = registry.fields_of(name); !rows.empty()) out += markdown_rows(rows);
  }
  return out;
}

}  // namespace

std::string list_text(const std::string& what) {
  if (what == "routers") return registry_text(registries().routers);
  if (what == "selections") return registry_text(registries().selections);
  if (what == "losses") return registry_text(registries().losses);
  if (what == "data") return registry_text(data_sources());
  if (what == "measures") return measures_text();
  require(what == "settings",
          "absorb list takes routers, selections, losses, data, measures, settings or folder but got \"{}\"", what);
  std::string out;
  for (const Section& section : sections()) {
    out += fmt::format("[{}]  {}\n", section.table, section.about);
    const auto width = [&](std::string FieldDoc::*column) {
      std::size_t most = 0;
      for (const FieldDoc& row : section.rows) most = std::max(most, (row.*column).size());
      return most;
    };
    const std::size_t keys = width(&FieldDoc::key), types = width(&FieldDoc::type), values = width(&FieldDoc::initial);
    for (const FieldDoc& row : section.rows)
      out += fmt::format("  {:<{}}  {:<{}}  {:<{}}  {}{}\n", row.key, keys, row.type, types, row.initial, values,
                         row.doc, row.range.empty() ? "" : " (" + row.range + ")");
    out += '\n';
  }
  return out;
}

std::string settings_page() {
  std::string out =
      "# Settings\n\nEvery key of a study file, written by `absorb list settings --markdown` from the field lists that "
      "read it.\nOrder of precedence: what a file extends, the file, the arm, the axis, `--set`.\n\n";
  for (const Section& section : sections())
    out += fmt::format("## `[{}]`\n\n{}\n\n", section.table, section.about) + markdown_rows(section.rows);
  out +=
      "## `[[arm]]`\n\n`name`, optionally `targets`, and any key of the tables above with its dots, such as "
      "`routing.frozen = true`.\n\n## `[[axis]]`\n\n`key`, a dotted key of the tables above, and `values`, which cross "
      "arms, targets and seeds.\n\n";
  return out + registry_markdown("Routers", registries().routers) +
         registry_markdown("Selections", registries().selections) +
         registry_markdown("Routing losses", registries().losses) + registry_markdown("Data sets", data_sources());
}

}  // namespace absorb
