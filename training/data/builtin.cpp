// The list of data sets: a new type is one header, one source and one line here.
#include "training/data/imported.h"
#include "training/data/source.h"
#include "training/data/tasks/codes.h"
#include "training/data/tasks/mixture.h"
#include "training/data/tasks/recall.h"
#include "training/data/tasks/rule.h"
#include "training/data/tokens/text.h"
#include "training/data/tokens/tokens.h"

namespace absorb {

void add_builtin_data(DataSources& sources) {
  add_text(sources);
  add_tokens(sources);
  add_codes(sources);
  add_mixture(sources);
  add_recall(sources);
  add_rule(sources);
  add_imported(sources);
}

DataSources& data_sources() {
  static DataSources all = [] {
    DataSources built("data set");
    add_builtin_data(built);
    return built;
  }();
  return all;
}

namespace {

// The first four types began as one table of 23 keys, and what a run was trained with, its identity included, holds
// them all whatever its type. So these four take each other's keys; a type that came later has its own alone.
struct FirstTable {
  TextSettings text;
  TokensSettings tokens;
  RecallSettings recall;
  RuleSettings rule;
};
void fields(Fields& list, FirstTable& table) {
  fields(list, table.text);
  fields(list, table.tokens);
  fields(list, table.recall);
  fields(list, table.rule);
}

bool is_first(const std::string& type) {
  return type == "text" || type == "tokens" || type == "recall" || type == "rule";
}

}  // namespace

DataSettings read_data(const Settings& table) {
  Settings whole = table;
  if (!table.has("type")) whole.merge(Settings::from_json({{"type", "text"}}, table.where()));
  DataSettings data;
  const Json& type = whole.value()["type"];
  if (!type.is_string() || !is_first(type)) {
    static_cast<Typed&>(data) = data_sources().resolve(whole);
  } else {
    Json resolved = write_settings(read_settings<FirstTable>(whole, {"type"}));
    resolved["type"] = data.type = type;
    data.table = Settings::from_json(std::move(resolved), table.where());
  }
  return data;
}

namespace {

// The type's own keys of the table that it shares.
Typed own_keys(const DataSettings& data) {
  Typed own = data;
  if (!is_first(data.type)) return own;
  std::set<std::string> known = {"type"};
  for (const FieldDoc& field : data_sources().fields_of(data.type)) known.insert(field.key);
  for (const auto& [key, value] : data.table.value().items())
    if (!known.contains(key)) own.table.erase(key);
  return own;
}

}  // namespace

std::shared_ptr<const DataSource> make_source(const DataSettings& data) {
  return data_sources().make(own_keys(data));
}

TextSettings text_settings(const DataSettings& data) {
  return read_settings<TextSettings>(own_keys(data).table, {"type"});
}

}  // namespace absorb
