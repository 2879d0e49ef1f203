// A model in a Hugging Face folder: config.json, and tensors in one safetensors file or in shards with their index.
// Conventions and names: docs/huggingface.md. Surprising: tensors are read one at a time, when they are asked for, so
// that a model is never held twice.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/safetensors.h"
#include "core/settings.h"

namespace absorb {

using at::Tensor;

/// Files beside the weights that go along as they are: what the model is, its tokeniser and special tokens.
inline constexpr const char* carried_files[] = {"config.json", "generation_config.json", "tokenizer.json",
                                                "tokenizer_config.json", "special_tokens_map.json"};

/// config.json of such a folder. Every reader is a UserError that names the file and the key where it is missing or of
/// another type; a default stands for a key that is absent or null.
class HuggingFaceConfig {
 public:
  /// UserError where there is no such file, or where it is no JSON object.
  explicit HuggingFaceConfig(const Path& folder);

  std::string text(const std::string& key, const std::optional<std::string>& initial = {}) const;
  int64_t whole(const std::string& key, std::optional<int64_t> initial = {}) const;
  double number(const std::string& key, std::optional<double> initial = {}) const;
  bool flag(const std::string& key, bool initial) const;
  std::vector<int64_t> list(const std::string& key) const;  // empty where absent
  /// The object under a key; an empty one where it is absent or null.
  HuggingFaceConfig object(const std::string& key) const;
  /// Whether the key is there and isn't null.
  bool has(const std::string& key) const;
  const Path& file() const { return file_; }

 private:
  HuggingFaceConfig(Path file, Json value) : file_(std::move(file)), value_(std::move(value)) {}
  Path file_;
  Json value_;
};

/// The tensors of such a folder.
class HuggingFaceTensors {
 public:
  /// UserError where there are no weights, a shard that the index names is missing, or the index and a shard disagree.
  explicit HuggingFaceTensors(const Path& folder);

  /// As the file names them.
  std::vector<std::string> names() const;
  bool contains(const std::string& name) const { return at_.contains(name); }
  /// Of a tensor that is there.
  std::vector<int64_t> shape(const std::string& name) const;
  Tensor read(const std::string& name) const;
  /// xxh3-128 over all files.
  std::string hash() const;

 private:
  Path folder_;
  std::vector<std::string> files_;
  std::map<std::string, SafetensorsFile> shards_;  // by file
  std::map<std::string, std::string> at_;          // tensor, file
};

}  // namespace absorb
