// Sentences of the page's methods, which plan.json keeps: the report knows neither data nor model.
#include "studies/folder/digits.h"
#include "studies/plan/plan_record.h"

namespace absorb {
namespace {

std::string quoted_file(const std::string& path) {
  return std::filesystem::path(path).filename().string();
}

std::string token_words(const DataSettings& data) {
  if (data.type == "tokens") return "token files";
  if (data.tokens == "bpe")
    return fmt::format("text read as {} tokens of a byte pair encoding that was learned from its training split",
                       grouped(data.vocabulary));
  if (data.tokens == "gpt2")
    return fmt::format("text read as tokens of the byte pair encoding in {}", quoted_file(data.tokeniser));
  return fmt::format("text read as {}", data.tokens);
}

std::string data_sentence(const DataSettings& data) {
  if (data.type == "recall" || data.type == "rule")
    return fmt::format(
        "The data are the synthetic task \"{}\", with {} held-out sequences each for validation and test.", data.type,
        grouped(data.sequences));
  const std::string tokens = token_words(data);
  if (!data.train.empty())
    return fmt::format("Models were trained on {} ({}) and evaluated on {}.", quoted_file(data.train), tokens,
                       quoted_file(data.valid));
  if (data.type == "tokens")
    return fmt::format("Models were trained and evaluated on the {} of {}.", tokens, quoted_file(data.corpus));
  return fmt::format(
      "The corpus is {} ({}), split by a hash of the document: {:g} % of the documents for validation, {:g} % for the "
      "test.",
      quoted_file(data.corpus), tokens, 100 * data.valid_share, 100 * data.test_share);
}

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
      "steps "
      "and {}, weight decay {:g}{}.",
      grouped(training.steps), training.batch, context, grouped(training.steps * training.batch * context),
      training.beta1, training.beta2, training.learning_rate, training.warmup, schedule, training.weight_decay,
      training.clip > 0 ? fmt::format(" and the gradient's norm clipped at {:g}", training.clip) : "");
}

}  // namespace

MethodsWords methods_words(const Settings& base) {
  const auto model = read_settings<ModelSettings>(base.table("model"));
  return {data_sentence(read_settings<DataSettings>(base.table("data"))), model_words(model),
          training_sentence(read_settings<TrainingSettings>(base.table("training")), model.context)};
}

}  // namespace absorb
