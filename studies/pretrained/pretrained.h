// A model in a Hugging Face folder, as absorb holds it.
#pragma once

#include "studies/pretrained/families.h"
#include "studies/study/study.h"

namespace absorb {

/// The folder that a `from` names (studies/study/study.h).
Path folder_named(const std::string& from);

/// Known to fit what absorb makes of its config: every tensor of ours is there in its shape, and none of theirs is left
/// over.
class PretrainedModel {
 public:
  using Shapes = std::vector<std::pair<std::string, std::vector<int64_t>>>;

  /// UserError with the first tensor that is missing, superfluous or of another shape.
  explicit PretrainedModel(const Path& folder);

  const Architecture& architecture() const { return architecture_; }
  /// Names and shapes of ours, in the order of our files.
  const Shapes& shapes() const { return shapes_; }
  bool contains(const std::string& ours) const { return rules_.contains(ours); }
  /// One of ours, float.
  Tensor read(const std::string& ours) const;
  /// Of config and weights.
  std::string hash() const;

 private:
  void require_fit() const;
  Path folder_;
  Architecture architecture_;
  HuggingFaceTensors tensors_;
  std::map<std::string, TensorRule> rules_;  // by ours
  Shapes shapes_;
};

}  // namespace absorb
