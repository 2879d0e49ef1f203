#include "studies/folder/records/made.h"

#include "core/error.h"

namespace absorb {

void fields(RecordFields& list, MadeRecord& made) {
  list.field("measures", made.measures, "Hash of the request that each measure answered, by its name.");
}

MadeRecord read_made(const Path& compensation) {
  const Path file = compensation / "made.json";
  if (!std::filesystem::exists(file)) return {};
  try {
    Json json = read_record_json(file);
    if (!json.contains("format")) json = Json{{"measures", json}};  // format 0 had nothing around them
    MadeRecord made;
    read_record_fields(json, file.string(), detail::list_of(made));
    return made;
  } catch (const UserError&) {
    return {};
  }
}

}  // namespace absorb
