// Sentences of the page's methods, which plan.json keeps: the report knows neither data nor model.
#include "core/numbers.h"
#include "studies/plan/plan_record.h"
#include "training/data/source.h"

namespace absorb {
namespace {

std::string model_words(const ModelSettings& model) {
  return fmt::format(
      "All arms share a pre-LayerNorm transformer of {} layers, width {}, {} heads and a context of {} tokens",
      model.layers, model.width, model.heads, model.context);
}

std::string training_sentence(const TrainingSettings& training, int64_t context) {
  std::string schedule = training.schedule;
  if (schedule == "cosine")
    schedule =
        training.final_ratio == 0 ? "a cosine to 0" : fmt::format("a cosine to {:g} of it", training.final_ratio);
  else if (training.decay > 0)
    schedule = fmt::format("a constant rate and {} steps of linear decay", training.decay);
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
  const auto model = read_settings<ModelSettings>(base.table("model"));
  return {make_source(read_data(base.table("data")))->sentence(), model_words(model),
          training_sentence(read_settings<TrainingSettings>(base.table("training")), model.context)};
}

}  // namespace absorb
