// One field list for every record of a study's folder: plan.json, result.json and the rest. A record is a plain struct
// with a function `void fields(RecordFields&, S&)` that names each field once; reading, writing, results.json, the CSV
// files and docs/folder.md walk that list. Unlike settings (core/settings.h) a record is written by absorb alone: it
// holds NaN, which is null in the file, and names that nobody could misspell; what is wrong with one is damage, or a
// later absorb's doing. Every record carries the folder's `format`.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/settings.h"
#include "core/text/json.h"

namespace absorb {

/// Of what this absorb writes. 0: folders made before records carried a number, which are read as well.
inline constexpr int64_t folder_format = 1;

/// What a list says of a field besides its key.
class About {
 public:
  About(const char* text) : doc(text) {}  // NOLINT(google-explicit-constructor): a list reads as key, field, sentence
  explicit About(std::string_view text) : doc(text) {}
  /// Absent from the file where it holds nothing: NaN, "", no value, no elements.
  About optional() const {
    return with([](About& a) { a.may_lack = true; });
  }
  /// In results.json and CSV under another name than in its file.
  About as(const char* name) const {
    return with([name](About& a) { a.published = name; });
  }
  /// In neither.
  About unpublished() const { return as(""); }

  std::string doc;
  bool may_lack = false;
  std::optional<std::string> published;  // absent: its key; empty: nowhere

 private:
  template <class F>
  About with(F change) const {
    About copy = *this;
    change(copy);
    return copy;
  }
};

/// What walks a field list.
class RecordFields {
 public:
  using List = std::function<void(RecordFields&)>;
  /// Records in an array.
  struct Rows {
    std::size_t size;
    std::function<void(std::size_t)> resize;
    std::function<void(std::size_t, RecordFields&)> row;
    List blank;  // the list of a row that nobody filled, for documentation
  };
  /// Records under names.
  struct Named {
    std::vector<std::string> names;
    std::function<void(const std::string&, RecordFields&)> entry;  // made where it isn't there yet
    List blank;
  };

  virtual ~RecordFields() = default;
  virtual void field(const std::string& key, int64_t& value, const About& about) = 0;
  virtual void field(const std::string& key, std::optional<int64_t>& value, const About& about) = 0;
  virtual void field(const std::string& key, double& value, const About& about) = 0;  // NaN is null
  virtual void field(const std::string& key, bool& value, const About& about) = 0;
  virtual void field(const std::string& key, std::string& value, const About& about) = 0;
  virtual void field(const std::string& key, std::vector<double>& value, const About& about) = 0;
  virtual void field(const std::string& key, std::vector<std::string>& value, const About& about) = 0;
  virtual void field(const std::string& key, std::map<std::string, double>& value, const About& about) = 0;
  virtual void field(const std::string& key, std::map<std::string, std::string>& value, const About& about) = 0;
  virtual void record(const std::string& key, const List& list, const About& about) = 0;
  virtual void records(const std::string& key, const Rows& rows, const About& about) = 0;
  virtual void named(const std::string& key, const Named& entries, const About& about) = 0;
};

/// Adds a record inside a record.
template <class S>
void nested(RecordFields& list, const std::string& key, S& value, const About& about) {
  list.record(
      key, [&value](RecordFields& inner) { fields(inner, value); }, about);
}

template <class S>
void nested(RecordFields& list, const std::string& key, std::vector<S>& values, const About& about) {
  const auto blank = [](RecordFields& inner) {
    S none;
    fields(inner, none);
  };
  list.records(key,
               {values.size(), [&values](std::size_t size) { values.resize(size); },
                [&values](std::size_t i, RecordFields& inner) { fields(inner, values[i]); }, blank},
               about);
}

template <class S>
void nested(RecordFields& list, const std::string& key, std::map<std::string, S>& values, const About& about) {
  const auto blank = [](RecordFields& inner) {
    S none;
    fields(inner, none);
  };
  std::vector<std::string> names;
  for (const auto& [name, value] : values) names.push_back(name);
  list.named(key,
             {names, [&values](const std::string& name, RecordFields& inner) { fields(inner, values[name]); }, blank},
             about);
}

/// A whole file as a JSON object; UserError naming it where it is absent, no JSON, no object, or of a later format.
Json read_record_json(const Path& file);
/// The same of text that `name` stands for in messages.
Json parse_record(std::string_view text, const std::string& name);
/// Reads every field; UserError with the file and the key on what is missing or of another type. Keys that the list
/// doesn't name are left alone.
void read_record_fields(const Json& json, const std::string& file, const RecordFields::List& list);
/// All values, without a format.
Json write_record_fields(const RecordFields::List& list);
/// What results.json holds of a record: published names, null for what isn't finite.
Json published_fields(const RecordFields::List& list);
/// The same as columns of a table: numbers, words and flags in the order of the list, those of a nested record as
/// "parameters_unique". Arrays and maps have no column.
std::vector<std::pair<std::string, Json>> column_fields(const RecordFields::List& list);
/// Every double of a record itself, in the order of the list.
std::vector<double*> number_fields(const RecordFields::List& list);

struct RecordFieldDoc {
  std::string key, type, doc;
  bool may_lack = false;
  std::string published;  // empty: nowhere
};
/// One row a field, nested keys with dots.
std::vector<RecordFieldDoc> document_record(const RecordFields::List& list);

namespace detail {
template <class S>
RecordFields::List list_of(S& value) {
  return [&value](RecordFields& list) { fields(list, value); };
}
}  // namespace detail

template <class S>
S read_record(const Path& file) {
  S value;
  read_record_fields(read_record_json(file), file.string(), detail::list_of(value));
  return value;
}

/// A record with its format and a checksum, as its file has it.
template <class S>
std::string record_text(S value) {
  Json json = write_record_fields(detail::list_of(value));
  json["format"] = folder_format;
  return sealed(json, 2);
}

/// Writes it, aside and renamed.
template <class S>
void write_record(const Path& file, const S& value) {
  write_file(file, record_text(value));
}

template <class S>
Json published(S value) {
  return published_fields(detail::list_of(value));
}

template <class S>
std::vector<std::pair<std::string, Json>> columns(S value) {
  return column_fields(detail::list_of(value));
}

/// A record of words alone as the metadata of a safetensors file.
template <class S>
std::map<std::string, std::string> metadata(S value) {
  std::map<std::string, std::string> out = {{"format", std::to_string(folder_format)}};
  const Json words = write_record_fields(detail::list_of(value));
  for (const auto& [key, word] : words.items()) out[key] = word.template get<std::string>();
  return out;
}

}  // namespace absorb
