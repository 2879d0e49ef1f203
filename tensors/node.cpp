#include "tensors/node.h"

#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/types.h>

#include <algorithm>

#include "core/error.h"

namespace absorb {
namespace {

class RecordedNode final : public torch::autograd::Node {
 public:
  RecordedNode(std::size_t outputs, Backward backward) : backward_(std::move(backward)) {
    for (std::size_t i = 0; i < outputs; ++i) sinks_.push_back(std::make_shared<Tensor>());
  }

  torch::autograd::variable_list apply(torch::autograd::variable_list&& arriving) override {
    check(backward_ != nullptr, "[record] a second backward pass through an operation that has only one");
    at::NoGradGuard no_grad;
    Tensors gradients = std::move(arriving);
    for (std::size_t i = 0; i < gradients.size(); ++i) {
      Tensor left = std::move(*sinks_[i]);
      *sinks_[i] = Tensor();
      if (!left.defined()) continue;
      if (gradients[i].defined()) left = left.add_(gradients[i].to(left.scalar_type()));
      gradients[i] = left;
    }
    return backward_(std::move(gradients));
  }

  void release_variables() override { backward_ = nullptr; }
  std::string name() const override { return "absorb"; }
  const std::shared_ptr<Tensor>& sink(std::size_t output) const { return sinks_.at(output); }

 private:
  Backward backward_;
  std::vector<std::shared_ptr<Tensor>> sinks_;
};

}  // namespace

void record(const Tensors& outputs, const Tensors& inputs, Backward backward) {
  const bool differentiable =
      at::GradMode::is_enabled() &&
      std::any_of(inputs.begin(), inputs.end(), [](const Tensor& x) { return x.defined() && x.requires_grad(); });
  if (!differentiable) return;
  // Autograd deletes a node by its own deleter, without recursion over long graphs.
  const auto node =
      std::shared_ptr<RecordedNode>(new RecordedNode(outputs.size(), std::move(backward)), torch::autograd::deleteNode);
  node->set_next_edges(torch::autograd::collect_next_edges(inputs));
  for (const Tensor& output : outputs) torch::autograd::set_history(output, node);
}

std::shared_ptr<Tensor> sink_of(const Tensor& x) {
  const auto* node = dynamic_cast<const RecordedNode*>(x.grad_fn().get());
  return node == nullptr ? nullptr : node->sink(x.output_nr());
}

}  // namespace absorb
