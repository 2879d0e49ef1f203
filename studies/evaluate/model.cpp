#include "studies/evaluate/model.h"

#include "core/error.h"
#include "core/safetensors.h"
#include "studies/exchange/import.h"
#include "studies/folder/fields/record_fields.h"
#include "studies/folder/paths.h"
#include "studies/folder/records/files.h"
#include "training/checkpoint.h"
#include "training/data/source.h"
#include "training/data/tokeniser/bpe_files.h"
#include "training/data/tokeniser/huggingface.h"
#include "training/data/tokens/write_tokens.h"

namespace absorb {
namespace {

namespace fs = std::filesystem;

/// `text` with the tokeniser in a folder.
TextSettings read_by(TextSettings text, const Path& folder) {
  const bool huggingface = fs::exists(folder / huggingface_file);
  require(huggingface || fs::exists(folder / encoder_file), "{}: holds neither {} nor {}, so that it is no tokeniser",
          shown(folder), huggingface_file, encoder_file);
  text.tokens = huggingface ? "huggingface" : "gpt2";
  text.tokeniser = folder.string();
  return text;
}

/// Whatever a run calls a document: models that are held side by side read the same text.
TextSettings text_of(const ModelRequest& request, const DataSettings& data) {
  TextSettings text;
  text.documents = "whole";
  if (data.type == "text") {
    const TextSettings own = text_settings(data);
    text.tokens = own.tokens;
    text.tokeniser = own.tokeniser;
    if (own.tokens == "bpe" && request.tokeniser.empty()) return read_by(text, cached_tokens(own));
  }
  if (request.tokeniser == "bytes") {
    text.tokens = "bytes";
    text.tokeniser.clear();
  } else if (!request.tokeniser.empty()) {
    return read_by(text, request.tokeniser);
  } else if (data.type != "text") {
    require(
        fs::exists(request.folder / huggingface_file),
        "{}: nothing says how this model reads text: name its tokeniser with --tokeniser bytes, or a folder with {} "
        "or {}",
        shown(request.folder), huggingface_file, encoder_file);
    return read_by(text, request.folder);
  }
  return text;
}

EvaluatedModel open_run(const ModelRequest& request, at::Device device) {
  const Path file = request.folder / "settings.json";
  require_done(request.folder);
  require_intact(request.folder, Intact::all);
  require_weights(request.folder, "an evaluation");
  const RunSettings settings = run_settings_from_json(read_record_json(file), file.string());
  const int64_t vocabulary = SafetensorsFile(request.folder / "weights.safetensors").shape("embedding.token").at(0);
  Moments moments;
  if (!request.moments_run.empty()) moments = read_moments(request.moments_run);
  EvaluatedModel out{request.folder.string(), LiveRun(settings, vocabulary, device, &moments),
                     text_of(request, settings.data)};
  load_weights(out.run, request.folder);
  return out;
}

EvaluatedModel open_huggingface(const ModelRequest& request, at::Device device) {
  const PretrainedModel model(request.folder);
  const RunSettings settings = settings_of(model.architecture());
  EvaluatedModel out{request.folder.string(), LiveRun(settings, model.architecture().vocabulary, device),
                     text_of(request, settings.data)};
  load_pretrained(out.run, model);
  return out;
}

}  // namespace

EvaluatedModel open_model(const ModelRequest& request, at::Device device) {
  if (fs::exists(request.folder / "settings.json")) return open_run(request, device);
  require(fs::exists(request.folder / "config.json"),
          "{}: holds neither settings.json, as a run does, nor config.json, as a Hugging Face folder does",
          shown(request.folder));
  return open_huggingface(request, device);
}

}  // namespace absorb
