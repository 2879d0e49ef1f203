#include "studies/pretrained/pretrained.h"

#include <torch/types.h>

#include <set>

#include "core/error.h"

namespace absorb {
namespace {

std::string shape_text(at::IntArrayRef shape) {
  return fmt::format("[{}]", fmt::join(shape.begin(), shape.end(), ", "));
}

/// What a tensor of this shape in the file is to us.
std::vector<int64_t> shape_by(const TensorRule& rule, std::vector<int64_t> shape) {
  if (rule.transposed && shape.size() == 2) std::swap(shape[0], shape[1]);
  if (!shape.empty() && shape[0] % rule.parts == 0) shape[0] /= rule.parts;
  return shape;
}

PretrainedModel::Shapes shapes_of(const Architecture& of) {
  const Parameters parameters(0);
  parameters.count_only();
  const Target target = target_named(of.target);
  const Model model(of.model, of.vocabulary, target.moe, parameters);
  make_routes(model, target, {}, of.experts, parameters);
  PretrainedModel::Shapes out;
  for (const Stored& stored : parameters.stored())
    for (const Slice& slice : stored.slices) {
      std::vector<int64_t> shape = stored.leaf.sizes().vec();
      shape[0] = slice.rows;
      out.emplace_back(slice.name, shape);
    }
  for (const auto& [name, state] : parameters.states()) out.emplace_back(name, state.sizes().vec());
  return out;
}

}  // namespace

Path folder_named(const std::string& from) {
  check(names_folder(from), "[pretrained] \"{}\" names no folder", from);
  return from.substr(std::string_view(huggingface_prefix).size());
}

PretrainedModel::PretrainedModel(const Path& folder)
    : folder_(folder), architecture_(architecture_of(HuggingFaceConfig(folder))), tensors_(folder) {
  shapes_ = shapes_of(architecture_);
  for (const TensorRule& rule : tensor_rules(architecture_)) rules_[rule.ours] = rule;
  // Files of a model without its head name its tensors without the prefix.
  const std::string prefix = tensor_prefix(architecture_.family), first = rules_.at("embedding.token").theirs;
  if (!tensors_.contains(first) && tensors_.contains(first.substr(prefix.size())))
    for (auto& [ours, rule] : rules_)
      if (rule.theirs.starts_with(prefix)) rule.theirs.erase(0, prefix.size());
  require_fit();
}

void PretrainedModel::require_fit() const {
  std::set<std::string> used;
  for (const auto& [ours, shape] : shapes_) {
    check(rules_.contains(ours), "[import] no tensor of {} is {}", architecture_.family, ours);
    const TensorRule& rule = rules_.at(ours);
    require(tensors_.contains(rule.theirs), "{}: holds no tensor {}", shown(folder_), rule.theirs);
    const std::vector<int64_t> theirs = tensors_.shape(rule.theirs);
    require(shape_by(rule, theirs) == shape, "{}: {} has the shape {}, which isn't that of config.json (ours: {} {})",
            shown(folder_), rule.theirs, shape_text(theirs), ours, shape_text(shape));
    used.insert(rule.theirs);
  }
  for (const std::string& name : tensors_.names())
    require(used.contains(name) || is_superfluous(architecture_, name), "{}: holds {}, which no {} of this config has",
            shown(folder_), name, architecture_.family);
}

Tensor PretrainedModel::read(const std::string& ours) const {
  const TensorRule& rule = rules_.at(ours);
  Tensor tensor = tensors_.read(rule.theirs);
  require(tensor.is_floating_point(), "{}: {} holds whole numbers", shown(folder_), rule.theirs);
  if (rule.transposed) tensor = tensor.t();
  if (rule.parts > 1) tensor = tensor.chunk(rule.parts)[static_cast<std::size_t>(rule.row)];
  return tensor.to(at::kFloat).contiguous();
}

std::string PretrainedModel::hash() const {
  return hash_hex(hash_hex(read_file(folder_ / "config.json")) + tensors_.hash());
}

}  // namespace absorb
