#include <fcntl.h>
#include <unistd.h>

#include <set>

#include "core/error.h"
#include "studies/bundle/archive.h"
#include "studies/bundle/bundle.h"
#include "studies/folder/paths.h"

namespace absorb {
namespace {

namespace fs = std::filesystem;

constexpr int64_t largest_record = 64 << 20;

BundleRecord read_first(ArchiveReader& archive, const Path& bundle) {
  const auto first = archive.next();
  require(first && first->name == "bundle.json" && first->bytes <= largest_record,
          "{}: is no bundle of absorb: it doesn't begin with bundle.json", bundle.string());
  std::string text;
  archive.read([&](std::string_view part) { text += part; });
  const std::string name = bundle.string() + ":bundle.json";
  BundleRecord record;
  read_record_fields(parse_record(text, name), name, detail::list_of(record));
  return record;
}

/// Reads a whole bundle and checks every file before `take` gets it.
BundleRecord walk(const Path& bundle, const std::function<void(const std::string&, const std::string&)>& take) {
  ArchiveReader archive(bundle);
  BundleRecord record = read_first(archive, bundle);
  std::set<std::string> seen;
  while (const auto entry = archive.next()) {
    const auto found = record.files.find(entry->name);
    require(found != record.files.end() && seen.insert(entry->name).second,
            "{}: is damaged: its bundle.json doesn't list {}, or it stands twice", bundle.string(), entry->name);
    require(entry->bytes == found->second.bytes, "{}: is damaged: {} has {} bytes, where bundle.json says {}",
            bundle.string(), entry->name, entry->bytes, found->second.bytes);
    std::string content;
    archive.read([&](std::string_view part) { content += part; });
    require(hash_hex(content) == found->second.hash, "{}: is damaged: {} has another checksum than bundle.json says",
            bundle.string(), entry->name);
    take(entry->name, content);
  }
  for (const auto& [name, file] : record.files)
    require(seen.contains(name), "{}: is damaged: it lacks {}", bundle.string(), name);
  return record;
}

/// A folder that is gone again unless it was renamed.
class Aside {
 public:
  explicit Aside(const Path& folder) : path_(folder.string() + ".tmp." + random_name()) { make_folder(path_); }
  ~Aside() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Aside(const Aside&) = delete;
  Aside& operator=(const Aside&) = delete;
  const Path& path() const { return path_; }

 private:
  Path path_;
};

}  // namespace

BundleRecord unpack(const Path& bundle, const Path& folder) {
  const Path whole = fs::absolute(folder).lexically_normal();
  const Path target = whole.filename().empty() ? whole.parent_path() : whole;
  require(!fs::exists(target), "{}: is there already: give a folder that doesn't exist yet", folder.string());
  const Aside aside(target);
  BundleRecord record = walk(bundle, [&](const std::string& name, const std::string& content) {
    const Path file = aside.path() / name;
    make_folder(file.parent_path());
    write_file(file, content);
  });
  write_record(aside.path() / "bundle.json", record);
  read_plan(aside.path());
  move_path(aside.path(), target);
  return record;
}

Verified verify_bundle(const Path& bundle) {
  Verified found;
  walk(bundle, [&](const std::string& name, const std::string&) {
    ++found.files;
    found.runs += Path(name).filename() == "DONE" ? 1 : 0;
  });
  return found;
}

}  // namespace absorb
