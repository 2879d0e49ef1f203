// What families of models are called and made of in Hugging Face's files, and as what absorb holds them: one list of
// tensors, which reading and writing both walk (docs/huggingface.md).
#pragma once

#include <string>
#include <vector>

#include "studies/pretrained/checkpoint.h"
#include "transformer/model.h"

namespace absorb {

/// A model as absorb has it.
struct Architecture {
  std::string family;  // `model_type`
  ModelSettings model;
  std::string target = "dense";  // "moe" where layers hold experts
  RoutingSettings experts;       // of target moe
  int64_t vocabulary = 0;
};

/// `model_type` of every family that is read.
std::vector<std::string> families();
/// UserError for an unknown family (with the list), and for a part that absorb has no form for, by its key.
Architecture architecture_of(const HuggingFaceConfig& config);

/// Where one slice of ours stands in the files.
struct TensorRule {
  std::string ours, theirs;
  bool transposed = false;     // theirs is [in,out] where ours is [out,in], or the other way round
  int64_t row = 0, parts = 1;  // of theirs, once transposed, ours is part `row` of so many equal ones
};
/// One for every tensor, the model's and its routers'.
std::vector<TensorRule> tensor_rules(const Architecture& architecture);
/// "model." or "transformer.": what the names of this family's tensors begin with, but for the head.
std::string tensor_prefix(const std::string& family);
/// The class of transformers that runs this family.
std::string model_class(const std::string& family);
/// Tensors that files may hold besides, and that nothing is lost without: masks, and a head that is tied.
bool is_superfluous(const Architecture& architecture, const std::string& theirs);

}  // namespace absorb
