// Sentences of the page's methods, which plan.json keeps: the report knows neither data nor model.
#include "core/numbers.h"
#include "studies/plan/plan_record.h"
#include "training/data/source.h"

namespace absorb {
namespace {

/// What is not as in the paper's model (docs/science.md section 2).
std::string parts_words(const ModelSettings& model) {
  const ModelSettings usual;
  std::vector<std::string> parts;
  if (model.position != usual.position) parts.emplace_back("rotary positions");
  if (model.activation != usual.activation) parts.push_back("activation " + model.activation);
  if (model.attention.kv_heads > 0 && model.attention.kv_heads != model.heads)
    parts.push_back(fmt::format("{} heads of keys and values", model.attention.kv_heads));
  if (model.attention.head_dim > 0) parts.push_back(fmt::format("heads of width {}", model.attention.head_dim));
  if (model.attention.qk_norm != usual.attention.qk_norm) parts.emplace_back("norms of queries and keys");
  if (model.moe.shared > 0) parts.emplace_back("a shared expert");
  if (!model.tied) parts.emplace_back("a head of its own");
  return parts.empty() ? "" : ", with " + join(parts);
}

std::string model_words(const ModelSettings& model) {
  return fmt::format("All arms share a {}-{} transformer of {} layers, width {}, {} heads and a context of {} tokens{}",
                     model.after() ? "post" : "pre", model.norm == "rms" ? "RMSNorm" : "LayerNorm", model.layers,
                     model.width, model.heads, model.context, parts_words(model));
}

std::string training_sentence(const TrainingSettings& training, int64_t context) {
  std::string schedule = training.schedule;
  if (schedule == "cosine")
    schedule =
        training.final_ratio == 0 ? "a cosine to 0" : fmt::format("a cosine to {:g} of it", training.final_ratio);
  else if (decay_steps(training) > 0)
    schedule = fmt::format("a constant rate and {} steps of linear decay", decay_steps(training));
  else
    schedule = "a constant rate";
  return fmt::format(
      "Each run took {} steps of {} x {} tokens ({} in all) with AdamW ({:g}, {:g}), peak rate {:g} after {} warm-up "
      "steps and {}, weight decay {:g}{}.",
      grouped(training.steps), training.batch, context, grouped(training.steps * training.batch * context),
      training.beta1, training.beta2, training.learning_rate, training.warmup, schedule, training.weight_decay,
      training.clip > 0 ? fmt::format(" and the gradient's norm clipped at {:g}", training.clip) : "");
}

}  // namespace

MethodsWords methods_words(const Settings& base) {
  const auto model = read_settings<ModelSettings>(with_pretrained(base).table("model"));
  return {make_source(read_data(base.table("data")))->sentence(), model_words(model),
          training_sentence(read_settings<TrainingSettings>(base.table("training")), model.context)};
}

}  // namespace absorb
