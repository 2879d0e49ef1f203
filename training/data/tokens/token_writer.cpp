#include "training/data/tokens/token_writer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

#include "core/error.h"
#include "core/system.h"

namespace absorb {

struct HashedFile::State {
  Path path;
  int descriptor = -1;
  std::string buffer;
  StreamHash hash;
  ~State() {
    if (descriptor >= 0) close(descriptor);
  }
};

HashedFile::HashedFile(const Path& path) : state_(std::make_unique<State>()) {
  state_->path = path;
  state_->descriptor = system::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC);
  require(state_->descriptor >= 0, "can't write {}: {}", path.string(), std::strerror(errno));
}

HashedFile::~HashedFile() = default;

void HashedFile::append(const void* data, std::size_t bytes) {
  state_->buffer.append(static_cast<const char*>(data), bytes);
  if (state_->buffer.size() >= 1 << 20) flush();
}

void HashedFile::flush() {
  state_->hash.update(state_->buffer);
  write_bytes(state_->descriptor, state_->buffer, state_->path);
  state_->buffer.clear();
}

std::string HashedFile::finish() {
  flush();
  const bool flushed = system::fsync(state_->descriptor) == 0 && ::close(std::exchange(state_->descriptor, -1)) == 0;
  require(flushed, "can't write {}: {}", state_->path.string(), std::strerror(errno));
  return state_->hash.hex();
}

TokenWriter::TokenWriter(const Path& path, std::shared_ptr<Tokeniser> tokeniser)
    : path_(path),
      tokeniser_(std::move(tokeniser)),
      joiner_([this](std::string_view text) { return tokeniser_->safe_cut(text); }),
      tokens_(path),
      index_(Path(path).replace_extension(".idx")) {
  facts_.vocabulary = tokeniser_->vocabulary();
  facts_.dtype = token_dtype(facts_.vocabulary);
  facts_.end_of_document = tokeniser_->end_of_document();
}

void TokenWriter::add(std::string_view text, bool last) {
  if (!open_) {
    const auto start = static_cast<uint64_t>(facts_.tokens);
    index_.append(&start, sizeof start);
    ++facts_.documents;
  }
  ids_.clear();
  joiner_.add(text, last, [this](std::string_view part) { tokeniser_->encode(part, ids_); });
  if (last) ids_.push_back(static_cast<uint32_t>(tokeniser_->end_of_document()));
  put(ids_);
  facts_.text_bytes += static_cast<int64_t>(text.size());
  open_ = !last;
}

void TokenWriter::put(const std::vector<uint32_t>& ids) {
  facts_.tokens += static_cast<int64_t>(ids.size());
  if (facts_.dtype == "uint32") return tokens_.append(ids.data(), ids.size() * sizeof(uint32_t));
  narrow_.resize(ids.size());
  std::transform(ids.begin(), ids.end(), narrow_.begin(), [](uint32_t id) { return static_cast<uint16_t>(id); });
  tokens_.append(narrow_.data(), narrow_.size() * sizeof(uint16_t));
}

TokenFacts TokenWriter::finish(const nlohmann::json& source) {
  check(!open_, "{}: the last document wasn't closed", path_.string());
  index_.finish();
  facts_.hash = tokens_.finish();
  nlohmann::json json = facts_;
  json["tokeniser"] = tokeniser_->name();
  json["source"] = source;
  write_file(Path(path_).replace_extension(".json"), json.dump(2) + '\n');
  return facts_;
}

namespace {

void remove_stale(const Path& folder, const std::string& prefix) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const auto age = std::filesystem::file_time_type::clock::now() - entry.last_write_time(error);
    if (entry.path().filename().string().starts_with(prefix) && !error && age > std::chrono::hours(24))
      std::filesystem::remove_all(entry.path(), error);
  }
}

}  // namespace

StagedFolder::StagedFolder(const Path& path) : path_(path) {
  const Path parent = path.has_parent_path() ? path.parent_path() : Path(".");
  const std::string prefix = path.filename().string() + ".tmp.";
  require_writable(parent);
  remove_stale(parent, prefix);
  staging_ = parent / (prefix + random_name());
  require_writable(staging_);
}

StagedFolder::~StagedFolder() {
  std::error_code error;
  if (!staging_.empty()) std::filesystem::remove_all(staging_, error);
}

bool StagedFolder::publish() {
  // rename() replaces an empty folder and refuses one with content, which is what makes the race harmless.
  if (system::rename(staging_.c_str(), path_.c_str()) != 0) {
    require(errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR, "can't write {}: {}", path_.string(),
            std::strerror(errno));
    return false;
  }
  staging_.clear();
  const int descriptor =
      open((path_.has_parent_path() ? path_.parent_path() : Path(".")).c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor >= 0) {
    fsync(descriptor);
    close(descriptor);
  }
  return true;
}

}  // namespace absorb
